/** Convolutions of which the weights are an input, or made of one. */
import { type BeyondCase, beyond } from './onnx-beyond-cases.js';
import { floats, ints, node, randomFloats } from './onnx-models.js';

type Dims = readonly number[];

function conv(name: string, dims: readonly [Dims, Dims], attributes: Parameters<typeof node>[3] = {}): BeyondCase {
  const bias = dims[1][0] ?? 1;
  return beyond(`Conv of computed weights, ${name}`, [node('Conv', ['x', 'x1', 'b'], ['y'], attributes)], {
    dims,
    initializers: [floats('b', [bias], randomFloats(bias, 77))],
  });
}

export const COMPUTED_WEIGHTS_CASES: readonly BeyondCase[] = [
  conv(
    'padded',
    [
      [1, 4, 7, 6],
      [5, 4, 3, 3],
    ],
    { pads: [1, 0, 1, 2] },
  ),
  conv(
    'in groups of two images, strided and dilated',
    [
      [2, 6, 9, 8],
      [4, 3, 3, 2],
    ],
    { group: 2, strides: [2, 1], dilations: [1, 2] },
  ),
  conv(
    'of a sequence',
    [
      [1, 4, 12],
      [3, 4, 3],
    ],
    { auto_pad: 'SAME_UPPER' },
  ),
  conv('of one place', [
    [1, 4, 5, 6],
    [3, 4, 1, 1],
  ]),
  // One image is looked for in another, channel by channel.
  beyond(
    'Conv of computed weights, channel by channel',
    [node('Reshape', ['x1', 'shape'], ['w']), node('Conv', ['x', 'w'], ['y'], { group: 6 })],
    {
      dims: [
        [1, 6, 8, 7],
        [1, 6, 3, 4],
      ],
      initializers: [ints('shape', [6, 1, 3, 4])],
    },
  ),
];
