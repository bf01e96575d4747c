import type { Diagnostic, SourceLoc } from '../../base/diagnostic.js';
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

/** Thrown while one node is imported, when the operator is known but this form of it is not supported. */
export class UnsupportedForm extends Error {}

export function unsupported(reason: string): never {
  throw new UnsupportedForm(reason);
}

/** Throws a diagnostic that says that the file itself is at fault. */
export function malformed(code: OnnxCode, loc: SourceLoc, message: string, hint?: string): never {
  throw new SpillwayError([{ code, blame: 'model', message, loc, ...(hint === undefined ? {} : { hint }) }]);
}

interface UnsupportedUse {
  readonly operator: string;
  readonly node: string;
  readonly reason: string | undefined; // undefined: the operator is not known at all
}

const NAMES_SHOWN = 8;

/** What is wrong with a file, collected over the whole of it before anything is thrown. */
export class ProblemList {
  private readonly diagnostics: Diagnostic[] = [];
  private readonly unsupportedUses: UnsupportedUse[] = [];
  private readonly file: string;
  private readonly unsupportedCode: Diagnostic['code'];

  /** @param unsupportedCode of the one diagnostic for all unsupported nodes */
  constructor(file: string, unsupportedCode: Diagnostic['code'] = 'SW2005') {
    this.file = file;
    this.unsupportedCode = unsupportedCode;
  }

  add(diagnostic: Diagnostic): void {
    this.diagnostics.push(diagnostic);
  }

  addUnsupported(operator: string, node: string, reason?: string): void {
    this.unsupportedUses.push({ operator, node, reason });
  }

  throwIfAny(): void {
    const all = [...this.unsupportedSummary(), ...this.diagnostics];
    if (all.length > 0) throw new SpillwayError(all);
  }

  /** One diagnostic for all unsupported nodes: `Slice, step 2 (Slice_3, Slice_9); LSTM (lstm)`. */
  private unsupportedSummary(): Diagnostic[] {
    const first = this.unsupportedUses[0];
    if (first === undefined) return [];
    const groups = new Map<string, string[]>();
    for (const use of this.unsupportedUses) {
      const title = use.reason === undefined ? use.operator : `${use.operator}, ${use.reason}`;
      const names = groups.get(title) ?? [];
      names.push(use.node);
      groups.set(title, names);
    }
    const parts = [...groups].map(([title, names]) => {
      const more = names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more` : '';
      return `${title} (${names.slice(0, NAMES_SHOWN).join(', ')}${more})`;
    });
    return [
      {
        code: this.unsupportedCode,
        blame: 'unsupported',
        message: `${this.unsupportedUses.length} node(s) not supported: ${parts.join('; ')}`,
        loc: { file: this.file, node: first.node },
        hint: 'export the model without these operators, or cut it before them',
      },
    ];
  }
}
