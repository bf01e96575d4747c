/** WHILE whose condition is known at import in every turn: its body, written out once for each. */
import { UnsupportedForm } from '../import-problems.js';
import type { Value } from './context.js';
import { calledGraph, MAX_OPERATORS } from './inline-graphs.js';
import type { TfliteModel, TfliteOperator, TfliteTensor } from './model.js';
import { malformed } from './problems.js';

const WHILE = { condition: 0, body: 1 } as const;
const MOST_TURNS = 1024;
const MOST_DEEP = 4;

/** What runs the operators of a turn. Whatever is wrong with them is thrown. */
export interface LoopHost {
  value(index: number, operator: TfliteOperator): Value;
  define(index: number, value: Value): void;
  importOperator(operator: TfliteOperator): void;
}

export class Loops {
  private depth = 0;
  private operators = 0;

  /** @param tensors of the graph that is imported; those of every turn are appended */
  constructor(
    private readonly model: TfliteModel,
    private readonly tensors: TfliteTensor[],
    private readonly host: LoopHost,
  ) {}

  /** Inside of a turn, where shapes need not be those that the file declares. */
  get isRunning(): boolean {
    return this.depth > 0;
  }

  run(operator: TfliteOperator): void {
    const graph = (field: number): number => operator.options?.int32(field) ?? 0;
    let carried = operator.inputs.map((index) => this.host.value(index, operator));
    for (let turn = 0; ; turn++) {
      if (turn > MOST_TURNS) throw new UnsupportedForm(`more than ${MOST_TURNS} turns`);
      const [goesOn] = this.call(graph(WHILE.condition), carried, operator);
      if (goesOn?.kind !== 'constant') throw new UnsupportedForm('a condition that is computed from data');
      if ((goesOn.constant.elements()[0] ?? 0) === 0) break;
      carried = this.call(graph(WHILE.body), carried, operator);
    }
    operator.outputs.forEach((index, i) => {
      const value = carried[i];
      if (value === undefined) malformed('SW2103', operator.loc, `WHILE has ${operator.outputs.length} results`);
      this.host.define(index, value);
    });
  }

  /** One run of a graph. */
  private call(graph: number, given: readonly Value[], caller: TfliteOperator): Value[] {
    if (this.depth >= MOST_DEEP) malformed('SW2103', caller.loc, `loops in each other, ${MOST_DEEP} deep`);
    const inputs = given.map((value, i) => {
      const tensor = this.tensors[caller.inputs[i] ?? -1];
      if (tensor === undefined) return malformed('SW2103', caller.loc, `WHILE lacks operand ${i}`);
      const index = this.tensors.push({ ...tensor, bytes: undefined, isVariable: false }) - 1;
      this.host.define(index, value);
      return index;
    });
    const { operators, outputs } = calledGraph(this.model, graph, this.tensors, inputs, caller);
    this.operators += operators.length + 1;
    if (this.operators > MAX_OPERATORS) {
      malformed('SW2110', caller.loc, `the turns of its loops have more than ${MAX_OPERATORS} operators`);
    }
    this.depth++;
    try {
      for (const operator of operators) this.host.importOperator(operator);
    } finally {
      this.depth--;
    }
    return outputs.map((index) => this.host.value(index, caller));
  }
}
