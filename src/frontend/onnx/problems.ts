import type { SourceLoc } from '../../base/diagnostic.js';
import { SpillwayError } from '../../base/diagnostic.js';

/**
 * Codes of this front end:
 * SW2001 not an ONNX file, or cut short; SW2002 no graph in it; SW2003 malformed graph (cycle, missing or duplicate
 * value); SW2004 tensor data that does not fit its shape; SW2005 unsupported operators or forms of them; SW2006 a
 * dimension that is not known; SW2007 shapes or attributes that contradict each other; SW2008 unsupported input,
 * output or element type; SW2009 external data; SW2010 too large.
 */
export type OnnxCode =
  | 'SW2001'
  | 'SW2002'
  | 'SW2003'
  | 'SW2004'
  | 'SW2005'
  | 'SW2006'
  | 'SW2007'
  | 'SW2008'
  | 'SW2009'
  | 'SW2010';

/** Throws a diagnostic that says that the file itself is at fault. */
export function malformed(code: OnnxCode, loc: SourceLoc, message: string, hint?: string): never {
  throw new SpillwayError([{ code, blame: 'model', message, loc, ...(hint === undefined ? {} : { hint }) }]);
}
