/**
 * The inner loop of convolutions of float32 and int16: many dot products of windows of the input (patches) with rows of weights (lanes), all
 * in double precision.
 *
 * One lane is one output channel. A product of two float32, or of int16 with 8 bits, is exact in a double, each result has one
 * accumulator, and taps come in order, so the sum is that of docs/numerics.md.
 *
 * Layouts put what is used together side by side: patches [quad of pixels][tap][4], lanes [pair of lanes][tap][2], sums
 * [pixel][lane].
 */

/** Output pixels of one tile; a multiple of 4. A tile's chunk of patches fits a level-2 cache. */
export const TILE_PIXELS = 64;

/** Taps of one chunk. */
export const CHUNK_TAPS = 512;

/** Adds to sums[pixel][lane] the products of taps [firstTap, endTap). Pixels is a multiple of 4, lanes of 2. */
export function addDotProducts(
  patches: Float64Array,
  pixels: number,
  lanes: Float64Array,
  laneCount: number,
  taps: number,
  firstTap: number,
  endTap: number,
  sums: Float64Array,
): void {
  for (let lane = 0; lane < laneCount; lane += 2) {
    const end = (lane * taps + endTap * 2) | 0;
    for (let pixel = 0; pixel < pixels; pixel += 4) {
      let i = (pixel * taps + firstTap * 4) | 0;
      const o = (pixel * laneCount + lane) | 0;
      let s00 = sums[o] as number;
      let s01 = sums[o + 1] as number;
      let s10 = sums[o + laneCount] as number;
      let s11 = sums[o + laneCount + 1] as number;
      let s20 = sums[o + 2 * laneCount] as number;
      let s21 = sums[o + 2 * laneCount + 1] as number;
      let s30 = sums[o + 3 * laneCount] as number;
      let s31 = sums[o + 3 * laneCount + 1] as number;
      for (let j = (lane * taps + firstTap * 2) | 0; j < end; j += 2) {
        const w0 = lanes[j] as number;
        const w1 = lanes[j + 1] as number;
        const x0 = patches[i] as number;
        const x1 = patches[i + 1] as number;
        const x2 = patches[i + 2] as number;
        const x3 = patches[i + 3] as number;
        i = (i + 4) | 0;
        s00 += x0 * w0;
        s01 += x0 * w1;
        s10 += x1 * w0;
        s11 += x1 * w1;
        s20 += x2 * w0;
        s21 += x2 * w1;
        s30 += x3 * w0;
        s31 += x3 * w1;
      }
      sums[o] = s00;
      sums[o + 1] = s01;
      sums[o + laneCount] = s10;
      sums[o + laneCount + 1] = s11;
      sums[o + 2 * laneCount] = s20;
      sums[o + 2 * laneCount + 1] = s21;
      sums[o + 3 * laneCount] = s30;
      sums[o + 3 * laneCount + 1] = s31;
    }
  }
}

/** Lanes of float32 weights [channels, taps] from row `first` on, one channel a lane. */
export function packSingles(
  weights: Float32Array | Float64Array,
  first: number,
  channels: number,
  taps: number,
): Float64Array {
  const lanes = new Float64Array(laneCountFloat32(channels) * taps);
  for (let lane = 0; lane < channels; lane++) {
    let to = (lane >> 1) * taps * 2 + (lane & 1);
    const start = (first + lane) * taps;
    for (let from = start; from < start + taps; from++) {
      lanes[to] = weights[from] as number;
      to += 2;
    }
  }
  return lanes;
}

export const laneCountFloat32 = (channels: number): number => Math.ceil(channels / 2) * 2;
