import type { SourceLoc } from '../../base/diagnostic.js';
import { keepsQuantization } from '../../ir/facts.js';
import { formatShape, inferResult, sameShape } from '../../ir/shape.js';
import type {
  ConstantData,
  DType,
  Op,
  OpId,
  Program,
  Quantization,
  StateLink,
  Tensor,
  TensorId,
} from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { isStored, reordered, type View } from './view.js';

type Distribute<T> = T extends Op ? Omit<T, 'id' | 'name' | 'loc' | 'output' | 'epilogue'> : never;
/** An operator without what the builder fills in. */
export type OpSpec = Distribute<Op>;

/** Where an operator comes from: gives it its name and its place in the file. */
export interface Origin {
  readonly name: string;
  readonly loc: SourceLoc;
}

type Draft = { -readonly [K in keyof Tensor]: Tensor[K] };

/** Elements of a constant; int8 ones with the scales that make them real numbers. */
export interface ConstantElements {
  readonly data: ConstantData;
  readonly quant?: Quantization;
}

/** A Program under construction. Constants stay functions until `finish`, so that nothing heavy runs for a file that is refused. */
export class ProgramBuilder {
  private readonly tensors = new Map<TensorId, Draft>();
  private readonly ops: Op[] = [];
  private readonly constants = new Map<TensorId, () => ConstantElements>();
  private readonly inputs: TensorId[] = [];
  private readonly outputs: TensorId[] = [];
  /** Views and transposes made already, by what they are of. */
  private readonly made = new Map<string, TensorId>();
  /** The constants that a repetition has made, and how many of them this turn has taken. */
  private repeated: { readonly ids: TensorId[]; next: number } | undefined;

  input(
    name: string,
    shape: readonly number[],
    outside: Pick<Tensor, 'outsideAxes' | 'outsideShape'>,
    loc: SourceLoc,
    type: { readonly dtype?: DType; readonly quant?: Quantization } = {},
  ): TensorId {
    const id = this.tensor(name, shape, loc);
    Object.assign(this.draft(id), outside, type);
    this.inputs.push(id);
    return id;
  }

  /** @param type of the elements; float32, or what the elements say when they are made, if absent */
  constant(
    name: string,
    shape: readonly number[],
    elements: () => ConstantElements,
    loc: SourceLoc,
    type: { readonly dtype?: DType; readonly quant?: Quantization } = {},
  ): TensorId {
    const { repeated } = this;
    const known = repeated?.ids[repeated.next++];
    if (known !== undefined) return known;
    const id = this.tensor(name, shape, loc);
    Object.assign(this.draft(id), type);
    this.constants.set(id, elements);
    repeated?.ids.push(id);
    return id;
  }

  /** Makes the same operators for several operands: the constants of the first serve all. */
  repeat<T>(count: number, make: (index: number) => T): T[] {
    const outer = this.repeated;
    const ids: TensorId[] = [];
    try {
      return Array.from({ length: count }, (_, index) => {
        this.repeated = { ids, next: 0 };
        return make(index);
      });
    } finally {
      this.repeated = outer;
    }
  }

  /** Appends an operator whose result has `shape`, and returns the result. */
  emit(spec: OpSpec, resultName: string, shape: readonly number[], origin: Origin, quant?: Quantization): TensorId {
    const dtype = this.check(spec, shape);
    const output = this.tensor(resultName, shape, origin.loc);
    const [x] = spec.inputs;
    const kept = x === undefined || !keepsQuantization(spec.kind) ? undefined : this.draft(x).quant;
    const known = quant ?? kept;
    Object.assign(this.draft(output), { dtype, ...(known === undefined ? {} : { quant: known }) });
    const id = this.ops.length as OpId;
    this.ops.push({ ...spec, id, name: origin.name, loc: origin.loc, output, epilogue: [] });
    return output;
  }

  /** The IR's own rules: what an importer lets pass and they do not is a form that we do not support. */
  private check(spec: OpSpec, shape: readonly number[]): DType {
    const operands = spec.inputs.map((id) => this.draft(id));
    const inferred = inferResult({ ...spec, epilogue: [] }, operands, shape);
    if (!inferred.ok) unsupported(inferred.problems.join('; '));
    if (!sameShape(inferred.shape, shape)) {
      throw new Error(`${spec.kind} gives ${formatShape(inferred.shape)}, the importer says ${formatShape(shape)}`);
    }
    return inferred.dtype;
  }

  shapeOf(id: TensorId): readonly number[] {
    return this.draft(id).shape;
  }

  typeOf(id: TensorId): Pick<Tensor, 'dtype' | 'quant'> {
    return this.draft(id);
  }

  outsideOf(id: TensorId): Pick<Tensor, 'outsideAxes' | 'outsideShape'> {
    const { outsideAxes, outsideShape } = this.draft(id);
    return {
      ...(outsideAxes === undefined ? {} : { outsideAxes }),
      ...(outsideShape === undefined ? {} : { outsideShape }),
    };
  }

  nameOf(id: TensorId): string {
    return this.draft(id).name;
  }

  rename(id: TensorId, name: string): void {
    this.draft(id).name = name;
  }

  /** The operator that writes a tensor; undefined for inputs and constants. */
  producerOf(id: TensorId): Op | undefined {
    return this.ops.findLast((op) => op.output === id);
  }

  /** The same elements seen as another shape: a view that costs nothing. */
  asShape(tensor: TensorId, shape: readonly number[], origin: Origin): TensorId {
    const from = this.shapeOf(tensor);
    if (from.length === shape.length && from.every((dim, i) => dim === shape[i])) return tensor;
    return this.once(`${tensor} as ${shape}`, () =>
      this.emit({ kind: 'reshape', inputs: [tensor] }, `${this.nameOf(tensor)}:view`, shape, {
        ...origin,
        name: `${origin.name}:view`,
      }),
    );
  }

  /**
   * The view with its elements stored in the given order of its atoms. Moves nothing when they are; otherwise one
   * transpose of as few axes as the move needs (runs of atoms that stay together are one axis).
   */
  materialise(view: View, order: readonly number[], origin: Origin): View {
    if (isStored(order)) return view;
    return reordered(view, order, this.permute(view, order, origin));
  }

  private permute(view: View, order: readonly number[], origin: Origin): TensorId {
    // Runs of consecutive atoms: first atom -> elements of the run. Sorting the first atoms gives the stored order.
    const runs: { first: number; elements: number }[] = [];
    order.forEach((atom, i) => {
      const last = runs.at(-1);
      if (last !== undefined && order[i - 1] === atom - 1) last.elements *= view.atoms[atom] ?? 1;
      else runs.push({ first: atom, elements: view.atoms[atom] ?? 1 });
    });
    const stored = [...runs].sort((a, b) => a.first - b.first);
    const lead = runs.length < 4 ? 1 : 0; // a leading 1 keeps the shape of the family [1, ...] where rank allows
    const ones = new Array<number>(lead).fill(1);
    const source = this.asShape(view.tensor, [...ones, ...stored.map((run) => run.elements)], origin);
    const perm = [...ones.map((_, i) => i), ...runs.map((run) => lead + stored.indexOf(run))];
    return this.once(`${source} by ${perm}`, () =>
      this.emit(
        { kind: 'transpose', inputs: [source], perm },
        `${this.nameOf(view.tensor)}:transposed`,
        [...ones, ...runs.map((run) => run.elements)],
        { ...origin, name: `${origin.name}:transpose` },
      ),
    );
  }

  /** Makes a tensor the first time that it is asked for. */
  once(key: string, make: () => TensorId): TensorId {
    const known = this.made.get(key);
    if (known !== undefined) return known;
    const id = make();
    this.made.set(key, id);
    return id;
  }

  isTaken(id: TensorId): boolean {
    return this.inputs.includes(id) || this.outputs.includes(id);
  }

  output(id: TensorId, name: string, outside: Pick<Tensor, 'outsideAxes' | 'outsideShape'>): void {
    const draft = this.draft(id);
    draft.name = name;
    Object.assign(draft, outside);
    this.outputs.push(id);
  }

  /** @param states input to output, by name */
  finish(name: string, source: string, states: ReadonlyMap<string, string> = new Map()): Program {
    const constants = new Map<TensorId, ConstantData>();
    for (const [id, elements] of this.constants) {
      const { data, quant } = elements();
      constants.set(id, data);
      if (quant !== undefined) Object.assign(this.draft(id), { dtype: 'int8', quant });
    }
    return {
      name,
      source,
      tensors: this.tensors,
      ops: this.ops,
      inputs: this.inputs,
      outputs: this.outputs,
      ...(states.size === 0 ? {} : { states: this.linksOf(states) }),
      constants,
    };
  }

  private linksOf(states: ReadonlyMap<string, string>): StateLink[] {
    const at = (ids: readonly TensorId[], name: string): number => ids.findIndex((id) => this.nameOf(id) === name);
    return [...states].map(([input, output]) => ({ input: at(this.inputs, input), output: at(this.outputs, output) }));
  }

  private tensor(name: string, shape: readonly number[], loc: SourceLoc): TensorId {
    const id = this.tensors.size as TensorId;
    this.tensors.set(id, { id, name, dtype: 'float32', shape, loc });
    return id;
  }

  private draft(id: TensorId): Draft {
    const draft = this.tensors.get(id);
    if (draft === undefined) throw new Error(`no tensor %${id}`);
    return draft;
  }
}
