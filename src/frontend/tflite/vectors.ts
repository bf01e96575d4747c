/** Arithmetic on vectors of one float32 number for each box: what boxes are found and thrown away with. */
import type { BinaryFunction, TensorId, UnaryFunction } from '../../ir/types.js';
import type { NodeContext } from './context.js';

const LARGEST_FLOAT = 3.4028234663852886e38;

/** float32 vectors [1, 1, 1, N], and numbers [1, 1, 1, 1] that are repeated. */
export class Vectors {
  constructor(
    readonly node: NodeContext,
    readonly count: number,
  ) {}

  constant(data: Float32Array, what: string): TensorId {
    const name = `${this.node.operator}:${what}`;
    return this.node.builder.addConstant({ name, shape: [1, 1, 1, data.length], data, loc: this.node.loc });
  }

  number(value: number): TensorId {
    return this.constant(Float32Array.of(value), `${value}`);
  }

  arithmetic(kind: 'add' | 'sub' | 'mul', a: TensorId, b: TensorId): TensorId {
    return this.node.emit({ kind, inputs: [a, b] });
  }

  binary(fn: BinaryFunction, a: TensorId, b: TensorId): TensorId {
    return this.node.emit({ kind: 'binary', fn, inputs: [a, b] });
  }

  unary(fn: UnaryFunction, x: TensorId): TensorId {
    return this.node.emit({ kind: 'unary', fn, alpha: 0, beta: 0, inputs: [x] });
  }

  integer(x: TensorId): TensorId {
    return this.node.emit({ kind: 'convert', to: 'int32', multiplier: 0, shift: 0, inputs: [x] });
  }

  reduce(fn: 'max' | 'argMax' | 'sum', x: TensorId): TensorId {
    return this.node.emit({ kind: 'reduce', fn, inputs: [x] });
  }

  real(x: TensorId): TensorId {
    if (this.node.builder.tensor(x).dtype === 'float32') return x;
    return this.node.emit({ kind: 'convert', to: 'float32', multiplier: 0, shift: 0, inputs: [x] });
  }

  atLeastZero(x: TensorId): TensorId {
    return this.node.emit({ kind: 'clamp', lo: 0, hi: LARGEST_FLOAT, inputs: [x] });
  }

  /** Along the last axis. */
  slice(x: TensorId, start: number, size: number): TensorId {
    const { shape } = this.node.builder.tensor(x);
    return this.node.emit({ kind: 'slice', axis: 3, start, inputs: [x] }, { shape: shape.with(3, size) });
  }

  concat(axis: number, inputs: readonly TensorId[]): TensorId {
    const [only = -1 as TensorId] = inputs;
    return inputs.length === 1 ? only : this.node.emit({ kind: 'concat', axis, inputs });
  }
}
