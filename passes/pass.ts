/** What a pass is, which invariants there are, and the runner that proves them after every pass. */
import type { Diagnostic } from '../src/base/diagnostic.js';
import { SpillwayError } from '../src/base/diagnostic.js';
import type { Program } from '../src/ir/types.js';
import { wellFormed } from '../src/ir/verify.js';

export type InvariantName = 'well-formed' | 'views-resolved';

/** Behind each invariant is the function that proves it: no diagnostics, or what breaks it. */
export const INVARIANTS: Readonly<Record<InvariantName, (program: Program) => Diagnostic[]>> = {
  'well-formed': wellFormed,
  'views-resolved': viewsResolved,
};

export interface Pass {
  readonly name: string; // kebab-case; the file's name, the CLI's and the golden folder's
  readonly summary: string; // one line, for --list-passes
  readonly requires: readonly InvariantName[];
  readonly establishes: readonly InvariantName[];
  readonly breaks?: readonly InvariantName[];
  /** An optional pass only saves something: without it every later pass still works, and the results are the same. */
  readonly optional?: true;
  run(program: Program): Program;
}

/** Printing, timing and comparing are observers; passes stay silent. */
export type Observer = (pass: Pass, before: Program, after: Program) => void;

export interface RunOptions {
  readonly observe?: Observer;
  /** Names of optional passes to leave out. */
  readonly disabled?: ReadonlySet<string>;
  /** Last pass to run. */
  readonly stopAfter?: string;
}

/**
 * Runs the passes in order and proves, after each, every invariant that should hold.
 *
 * @throws SpillwayError SW9000 (bug) naming the pass that broke an invariant, or SW8101 (usage) if `disabled` or
 *   `stopAfter` names no pass, or one that cannot be left out
 */
export function runPasses(program: Program, passes: readonly Pass[], options: RunOptions = {}): Program {
  throwIfAny(usageProblems(passes, options));
  throwIfAny(INVARIANTS['well-formed'](program));
  const held = new Set<InvariantName>(['well-formed']);
  let current = program;
  for (const pass of passes) {
    if (options.disabled?.has(pass.name)) continue;
    for (const name of pass.requires) {
      if (!held.has(name)) throw new Error(`pass ${pass.name} requires '${name}', which no earlier pass establishes`);
    }
    const before = current;
    current = pass.run(before);
    options.observe?.(pass, before, current);
    for (const name of pass.breaks ?? []) held.delete(name);
    for (const name of pass.establishes) held.add(name);
    const doubtful = current === before ? pass.establishes : held; // what did not change still holds
    for (const name of doubtful) throwIfAny(blamePass(pass, name, INVARIANTS[name](current)));
    if (pass.name === options.stopAfter) break;
  }
  return current;
}

function throwIfAny(diagnostics: readonly Diagnostic[]): void {
  if (diagnostics.length > 0) throw new SpillwayError(diagnostics);
}

function blamePass(pass: Pass, invariant: InvariantName, diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const [first] = diagnostics;
  if (first === undefined) return [];
  const message = `pass ${pass.name} breaks '${invariant}' (${diagnostics.length} findings)`;
  return [{ code: 'SW9000', blame: 'bug', message, loc: { file: `passes/${pass.name}` } }, ...diagnostics];
}

function usageProblems(passes: readonly Pass[], options: RunOptions): Diagnostic[] {
  const names = passes.map((pass) => pass.name);
  const problem = (message: string): Diagnostic => {
    const hint = `the passes are ${names.join(', ')}`;
    return { code: 'SW8101', blame: 'usage', message, loc: { file: 'command line' }, hint };
  };
  const found: Diagnostic[] = [];
  for (const name of options.disabled ?? []) {
    const pass = passes.find((candidate) => candidate.name === name);
    if (pass === undefined) found.push(problem(`no pass is called '${name}'`));
    else if (!pass.optional) found.push(problem(`pass '${name}' cannot be left out`));
  }
  const { stopAfter } = options;
  if (stopAfter !== undefined && !names.includes(stopAfter)) found.push(problem(`no pass is called '${stopAfter}'`));
  return found;
}

/** No op is left that only says where elements lie. */
function viewsResolved(program: Program): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const op of program.ops) {
    if (op.kind !== 'concat' && op.kind !== 'slice' && op.kind !== 'reshape') continue;
    const message = `@${op.id} ${op.name} is a ${op.kind}`;
    found.push({ code: 'SW9025', blame: 'bug', message, loc: op.loc });
  }
  return found;
}
