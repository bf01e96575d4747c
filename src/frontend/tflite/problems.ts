import type { SourceLoc } from '../../base/diagnostic.js';
import { SpillwayError } from '../../base/diagnostic.js';

/**
 * Codes of this front end:
 * SW2101 not a TFLite file, cut short, or damaged; SW2102 no graph in it; SW2103 malformed graph (a tensor read before it is
 * made, or made twice); SW2104 constant data that do not fit their shape; SW2105 unsupported operators or forms of them;
 * SW2106 a dimension that is not known; SW2107 shapes or options that contradict each other; SW2108 unsupported input,
 * output or element type; SW2109 missing or unusable quantisation parameters; SW2110 too large.
 */
export type TfliteCode =
  | 'SW2101'
  | 'SW2102'
  | 'SW2103'
  | 'SW2104'
  | 'SW2105'
  | 'SW2106'
  | 'SW2107'
  | 'SW2108'
  | 'SW2109'
  | 'SW2110';

/** Throws a diagnostic that says that the file itself is at fault. */
export function malformed(code: TfliteCode, loc: SourceLoc, message: string, hint?: string): never {
  throw new SpillwayError([{ code, blame: 'model', message, loc, ...(hint === undefined ? {} : { hint }) }]);
}
