/**
 * A diagnostic says whose fault it is, where, how much, and what to do next. Checks return `Diagnostic[]`; one place
 * throws (`SpillwayError`), and the CLI prints what it carries and turns `blame` into the exit code.
 *
 * Codes: SW1xxx model files (DSL), SW2xxx ONNX/TFLite, SW3xxx the target and what does not fit it, SW4xxx command
 * streams and the files of a compiled directory, SW5xxx inputs of the simulator, SW6xxx allocation problems (CSV),
 * SW8xxx usage, SW9xxx bugs of ours.
 */

export interface SourceLoc {
  /** A file as the user named it, or the name of a pass or part of ours. */
  readonly file: string;
  readonly line?: number; // 1-based
  readonly column?: number; // 1-based
  /** Node of a graph file (ONNX node name, TFLite operator index). */
  readonly node?: string;
}

export type Blame = 'model' | 'unsupported' | 'target' | 'input' | 'usage' | 'bug';

export interface Diagnostic {
  readonly code: `SW${number}`; // stable: tests and users match on it, never on the text
  readonly blame: Blame;
  readonly message: string; // what is wrong, with the numbers and their units
  readonly loc: SourceLoc;
  readonly hint?: string; // what the reader can do next
}

/** The one exception that carries diagnostics outward. Anything else that is thrown is a bug of ours (exit 70). */
export class SpillwayError extends Error {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map(formatDiagnostic).join('\n'));
    this.name = 'SpillwayError';
    this.diagnostics = diagnostics;
  }
}

/** `net.onnx#Conv_42`, `net.model.ts:12:5`. */
export function formatLoc(loc: SourceLoc): string {
  const node = loc.node === undefined ? '' : `#${loc.node}`;
  if (loc.line === undefined) return `${loc.file}${node}`;
  return `${loc.file}:${loc.line}${loc.column === undefined ? '' : `:${loc.column}`}${node}`;
}

export function formatDiagnostic(diagnostic: Diagnostic): string {
  const head = `${formatLoc(diagnostic.loc)}: ${diagnostic.code} (${diagnostic.blame}): ${diagnostic.message}`;
  return diagnostic.hint === undefined ? head : `${head}\n  hint: ${diagnostic.hint}`;
}

/** 0 done, 1 the input is at fault, 2 usage, 3 no schedule fits, 70 a bug of ours (DESIGN: exit codes). */
export function exitCodeFor(diagnostics: readonly Diagnostic[]): 1 | 2 | 3 | 70 {
  const blames = new Set(diagnostics.map((d) => d.blame));
  if (blames.has('bug')) return 70;
  if (blames.has('usage')) return 2;
  if (blames.has('target')) return 3;
  return 1;
}
