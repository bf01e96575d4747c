/** Random chains of convolutions and poolings on images that are wide for their channels, with a skip now and then. */
import fc from 'fast-check';
import { ProgramBuilder } from '../src/ir/builder.js';
import type { Program, TensorId, Window2d } from '../src/ir/types.js';

export interface ChainLayer {
  readonly kind: 'conv' | 'pool' | 'add';
  readonly kernel: number;
  readonly stride: number;
  readonly channels: number;
}

export const chainLayers: fc.Arbitrary<ChainLayer[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('conv' as const, 'conv' as const, 'conv' as const, 'pool' as const, 'add' as const),
    kernel: fc.constantFrom(1, 2, 3, 3, 5),
    stride: fc.constantFrom(1, 1, 1, 2),
    channels: fc.constantFrom(1, 2, 6, 16),
  }),
  { minLength: 2, maxLength: 6 },
);

export function chainProgram(layers: readonly ChainLayer[], height = 24, width = 20): Program {
  const builder = new ProgramBuilder('chain', 'chain.model.ts');
  let state = 1;
  const random = (length: number): Float32Array =>
    Float32Array.from({ length }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 31 - 1;
    });
  let x = builder.addInput({ name: 'x', dtype: 'float32', shape: [1, height, width, 2] });
  let before: TensorId = x;
  layers.forEach(({ kind, kernel, stride, channels }, i) => {
    const shape = builder.tensor(x).shape;
    const from = shape[3] ?? 1;
    if (Math.min(shape[1] ?? 0, shape[2] ?? 0) < 6) return;
    if (kind === 'add') {
      const isSameShape = builder.tensor(before).shape.join() === shape.join();
      if (before !== x && isSameShape) x = builder.addOp({ kind: 'add', name: `op${i}`, inputs: [x, before] });
      return;
    }
    before = x;
    const side = Math.floor((kernel - 1) / 2);
    const pad = { top: side, bottom: side, left: side, right: side };
    const window: Window2d = { kernel: [kernel, kernel], stride: [stride, stride], dilation: [1, 1], pad };
    const name = `op${i}`;
    if (kind === 'pool') x = builder.addOp({ kind: 'maxPool', name, inputs: [x], window, countIncludePad: false });
    else {
      const data = random(channels * kernel * kernel * from);
      const weights = builder.addConstant({ name: 'w', shape: [channels, kernel, kernel, from], data });
      const bias = builder.addConstant({ name: 'b', shape: [channels], data: random(channels) });
      x = builder.addOp({ kind: 'conv2d', name, inputs: [x, weights, bias], window, groups: 1 });
    }
  });
  builder.addOutput(x);
  return builder.build();
}
