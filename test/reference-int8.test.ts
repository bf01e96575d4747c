/** The reference's 8-bit convolution, whose loops are vector instructions, against sums and rounding one element at a time. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { convolve8 } from '../src/reference/convolution.js';
import { mbqm, mbqmOnce } from './naive-numerics.js';

const ONE_PIXEL = {
  inH: 1,
  outH: 1,
  window: {
    kernel: [1, 1] as const,
    stride: [1, 1] as const,
    dilation: [1, 1] as const,
    pad: { top: 0, left: 0, bottom: 0, right: 0 },
  },
};

const int32 = fc.oneof(fc.integer(), fc.constantFrom(-(2 ** 31), 2 ** 31 - 1, 0, -1, 1));
const multiplier = fc.oneof(fc.constantFrom(0, 2 ** 30, 2 ** 31 - 1), fc.integer({ min: 2 ** 30, max: 2 ** 31 - 1 }));

test('rescaling to its ends: every sum, multiplier and shift that the page allows', () => {
  const channel = fc.tuple(int32, multiplier, fc.integer({ min: -31, max: 30 }));
  const channels = fc.array(channel, { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(channels, fc.integer({ min: -128, max: 127 }), fc.boolean(), (all, zero, roundsOnce) => {
      const q = {
        bias: Int32Array.from(all, ([bias]) => bias),
        requant: Int32Array.from(all.flatMap(([, m, shift]) => [m, shift])),
        inputZeroPoint: 3,
        weightZeroPoint: 0,
        resultZeroPoint: zero,
        roundsOnce,
      };
      const geometry = { ...ONE_PIXEL, inW: 1, outW: 1, inC: 1, outC: all.length };
      const out = convolve8(geometry, 1, Int8Array.of(3), new Int8Array(all.length).fill(-128), q);
      const rescale = roundsOnce ? mbqmOnce : mbqm;
      const wanted = all.map(([bias, m, shift]) => Math.max(-128, Math.min(127, rescale(bias, m, shift) + zero)) + 0);
      expect([...out]).toEqual(wanted);
    }),
    { numRuns: 300 },
  );
});

test('uint8 at its ends with zero points at theirs: sums wrap as int32 do', () => {
  const [inC, outC, pixels] = [40_003, 9, 5];
  const ends = (length: number, phase: number) =>
    Uint8Array.from({ length }, (_, i) => ((i + phase) % 7 < 3 ? 255 : 0));
  const [x, weights] = [ends(pixels * inC, 0), ends(outC * inC, 1)];
  const q = {
    bias: new Int32Array(outC).fill(2 ** 31 - 1),
    requant: Int32Array.from({ length: 2 * outC }, (_, i) => (i % 2 === 0 ? 2 ** 30 : -22)),
    inputZeroPoint: 255,
    weightZeroPoint: 0,
    resultZeroPoint: 128,
    roundsOnce: false,
  };
  const out = convolve8({ ...ONE_PIXEL, inW: pixels, outW: pixels, inC, outC }, 1, x, weights, q);
  for (let p = 0; p < pixels; p++) {
    for (let m = 0; m < outC; m++) {
      let sum = 2 ** 31 - 1;
      for (let c = 0; c < inC; c++) sum += ((x[p * inC + c] ?? 0) - 255) * (weights[m * inC + c] ?? 0);
      expect(out[p * outC + m]).toBe(Math.max(0, Math.min(255, mbqm(sum | 0, 2 ** 30, -22) + 128)));
    }
  }
});
