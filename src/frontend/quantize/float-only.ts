/** What quantisation has no integers for: a program that holds any of it keeps its real numbers. */
import { isFloatOp, tensorOf } from '../../ir/facts.js';
import type { Op, Program } from '../../ir/types.js';

/** Kinds of such operators, each once. */
export function operatorsInFloatOnly(program: Program): string[] {
  const found = new Set<string>();
  for (const op of program.ops) if (isFloatOnly(op)) found.add(nameOf(op));
  for (const id of program.inputs) {
    const { dtype } = tensorOf(program, id);
    if (dtype !== 'float32') found.add(`inputs of ${dtype}`);
  }
  return [...found];
}

function nameOf(op: Op): string {
  return op.kind === 'binary' || op.kind === 'unary' ? op.fn : op.kind;
}

function isFloatOnly(op: Op): boolean {
  if (isFloatOp(op)) return true;
  switch (op.kind) {
    case 'convert':
      return true;
    case 'pad':
      return op.mode !== undefined;
    case 'unary':
      return INVERSE.has(op.fn);
    default:
      return false;
  }
}

/** Functions with poles: a table of 256 entries says nothing near them. */
const INVERSE: ReadonlySet<string> = new Set(['reciprocal', 'rsqrt', 'log', 'power']);
