import type { Quantization } from '../../ir/types.js';

/**
 * Seeded weights of example models: int8 q with one scale per output channel, standing for the float weights q * scale.
 * They depend on the seed text alone, so that a model keeps its weights when a parameter changes its image size.
 *
 * YOLOv3 has 62 million of them, so one 32-bit draw makes four.
 */

/**
 * Variance of an odd number in [-127, 127], all equally likely: (128^2 - 1) / 12 steps of 2. Odd numbers because they are
 * symmetric about zero, unlike the 256 values of int8, and cost one OR.
 */
const ODD_INT8_VARIANCE = (4 * (128 * 128 - 1)) / 12;

const ODD_BYTES = 0x01010101;

// A name of the module, not of the global object: test runners with their own global object look that up slowly.
const { imul } = Math;

/** FNV-1a over the UTF-16 units of the text, 32 bit. */
function hashText(text: string, basis: number): number {
  let hash = basis | 0;
  for (let i = 0; i < text.length; i++) hash = imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}

/** A Weyl sequence through the finaliser of MurmurHash3; the step is odd and the seed's own, so sequences do not meet. */
interface Sequence {
  state: number;
  readonly step: number;
}

function sequenceOf(seed: string): Sequence {
  return { state: hashText(seed, 0x811c9dc5), step: hashText(seed, 0x3c6ef372) | 1 };
}

function mix(state: number): number {
  let z = state;
  z = imul(z ^ (z >>> 16), 0x85ebca6b);
  z = imul(z ^ (z >>> 13), 0xc2b2ae35);
  return z ^ (z >>> 16);
}

/** Seeded odd int8 values. Bytes of a draw in little-endian order, which is that of every platform Node.js ships for but one. */
export function seededInt8(seed: string, elements: number): Int8Array {
  const words = new Int32Array((elements + 3) >> 2);
  const { state: first, step } = sequenceOf(seed);
  let state = first;
  for (let i = 0; i < words.length; i++) {
    state = (state + step) | 0;
    let z = state;
    z = imul(z ^ (z >>> 16), 0x85ebca6b);
    z = imul(z ^ (z >>> 13), 0xc2b2ae35);
    words[i] = (z ^ (z >>> 16)) | ODD_BYTES;
  }
  return new Int8Array(words.buffer, 0, elements);
}

/** Seeded float32 values, uniform in [-limit, limit). */
export function seededFloat32(seed: string, elements: number, limit: number): Float32Array {
  const values = new Float32Array(elements);
  const sequence = sequenceOf(seed);
  for (let i = 0; i < elements; i++) {
    sequence.state = (sequence.state + sequence.step) | 0;
    values[i] = (mix(sequence.state) / 0x80000000) * limit;
  }
  return values;
}

/**
 * Scales that keep the size of activations through the network (He et al. 2015): the weights of a channel have variance
 * `gain` / fanIn. Channels differ by up to a factor of two, as those of trained networks do.
 *
 * @param gain 2 before a ReLU, 1 where nothing follows
 */
export function seededWeightQuant(seed: string, outputChannels: number, fanIn: number, gain: number): Quantization {
  const base = Math.sqrt(gain / (fanIn * ODD_INT8_VARIANCE));
  const spread = seededFloat32(seed, outputChannels, 1 / 3);
  return { scales: Array.from(spread, (s) => Math.fround(base * (1 + s))), zeroPoint: 0 };
}
