/** What is wrong with a file that is imported, whatever its format. */
import type { Diagnostic } from '../base/diagnostic.js';
import { SpillwayError } from '../base/diagnostic.js';

/** Thrown while one node is imported, when the operator is known but this form of it is not supported. */
export class UnsupportedForm extends Error {}

export function unsupported(reason: string): never {
  throw new UnsupportedForm(reason);
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
  private hint = 'export the model without these operators, or cut it before them';

  /** @param unsupportedCode of the one diagnostic for all unsupported nodes */
  constructor(file: string, unsupportedCode: Diagnostic['code']) {
    this.file = file;
    this.unsupportedCode = unsupportedCode;
  }

  /** What to do about unsupported nodes, where that may be something else than another export. */
  setHint(hint: string): void {
    this.hint = hint;
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
        hint: this.hint,
      },
    ];
  }
}
