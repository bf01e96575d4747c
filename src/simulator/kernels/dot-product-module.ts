/**
 * A matrix product of int16 in WebAssembly, assembled here by hand: its vector instructions multiply and add eight pairs at
 * once, which makes simulating a network with data ten times faster than scalar code. The sums are int32 with
 * wrap-around, exactly the accumulators of docs/numerics.md.
 *
 *   multiply(x, w, out, pixels, channels, rowBytes)
 *     x: pixels rows, w: channels rows, of rowBytes bytes of int16; out: int32 [pixels, channels]; all byte addresses.
 *     pixels a multiple of 2, channels of 4, rowBytes of 16; none of them 0.
 */
type Code = readonly number[];

const [X, W, OUT, PIXELS, CHANNELS, ROW_BYTES] = [0, 1, 2, 3, 4, 5] as const;
const [CHANNEL, PIXEL, K, X_AT, OUT_AT, A, B] = [6, 7, 8, 9, 10, 11, 12] as const;
const [TWO_ROWS, THREE_ROWS] = [13, 14] as const; // of bytes
const SUMS = 15; // eight vectors: two pixels by four channels
const [X0, X1, WEIGHTS] = [23, 24, 25] as const;

function unsigned(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 128; rest >>>= 7) out.push((rest & 127) | 128);
  return [...out, rest];
}

const get = (local: number): Code => [0x20, local];
const set = (local: number): Code => [0x21, local];
const constant = (value: number): Code => [0x41, value]; // 0..63: one byte in the signed form
const ADD: Code = [0x6a];
const SHIFT_LEFT: Code = [0x74];
const LESS: Code = [0x49]; // unsigned
const LOAD_VECTOR: Code = [0xfd, 0x00, 0x01, 0x00]; // aligned to two bytes
const ZERO_VECTOR: Code = [0xfd, 0x0c, ...new Array<number>(16).fill(0)];
const DOT: Code = [0xfd, 0xba, 0x01]; // i32x4.dot_i16x8_s
const ADD_VECTOR: Code = [0xfd, 0xae, 0x01]; // i32x4.add
const lane = (index: number): Code => [0xfd, 0x1b, index]; // i32x4.extract_lane

/** local += value */
const increase = (local: number, ...value: Code[]): Code => [...get(local), ...value.flat(), ...ADD, ...set(local)];
/** Repeats while local < limit after the body. */
const repeat = (local: number, limit: number, ...body: Code[]): Code => [
  ...[0x03, 0x40],
  ...body.flat(),
  ...[...get(local), ...get(limit), ...LESS, 0x0d, 0x00],
  0x0b,
];
const FOUR = [0, 1, 2, 3] as const;

/** From the first of four rows of weights to each of them. */
const ROW_OFFSETS: readonly [Code, Code, Code, Code] = [
  [],
  [...get(ROW_BYTES), ...ADD],
  [...get(TWO_ROWS), ...ADD],
  [...get(THREE_ROWS), ...ADD],
];

/** One step along the rows: eight elements of two pixels and four channels. */
const STEP: Code = [
  ...[...get(A), ...LOAD_VECTOR, ...set(X0)],
  ...[...get(A), ...get(ROW_BYTES), ...ADD, ...LOAD_VECTOR, ...set(X1)],
  ...FOUR.flatMap((j) => [
    ...[...get(B), ...ROW_OFFSETS[j], ...LOAD_VECTOR, ...set(WEIGHTS)],
    ...[...get(SUMS + j), ...get(X0), ...get(WEIGHTS), ...DOT, ...ADD_VECTOR, ...set(SUMS + j)],
    ...[...get(SUMS + 4 + j), ...get(X1), ...get(WEIGHTS), ...DOT, ...ADD_VECTOR, ...set(SUMS + 4 + j)],
  ]),
  ...increase(A, constant(16)),
  ...increase(B, constant(16)),
];

/** Adds the four lanes of each sum and stores it. */
const STORE_SUMS: Code = [0, 1].flatMap((pixel) =>
  FOUR.flatMap((j) => [
    ...get(OUT_AT),
    ...(pixel === 1 ? [...get(CHANNELS), ...constant(2), ...SHIFT_LEFT, ...ADD] : []),
    ...FOUR.flatMap((l) => [...get(SUMS + 4 * pixel + j), ...lane(l), ...(l > 0 ? ADD : [])]),
    ...[0x36, 0x02, 4 * j], // i32.store
  ]),
);

const BODY: Code = [
  ...[...get(ROW_BYTES), ...constant(1), ...SHIFT_LEFT, ...set(TWO_ROWS)],
  ...[...get(TWO_ROWS), ...get(ROW_BYTES), ...ADD, ...set(THREE_ROWS)],
  ...[...constant(0), ...set(CHANNEL)],
  ...repeat(
    CHANNEL,
    CHANNELS,
    [...constant(0), ...set(PIXEL), ...get(X), ...set(X_AT)],
    [...get(OUT), ...get(CHANNEL), ...constant(2), ...SHIFT_LEFT, ...ADD, ...set(OUT_AT)],
    repeat(
      PIXEL,
      PIXELS,
      [...Array(8).keys()].flatMap((i) => [...ZERO_VECTOR, ...set(SUMS + i)]),
      [...constant(0), ...set(K), ...get(X_AT), ...set(A), ...get(W), ...set(B)],
      repeat(K, ROW_BYTES, STEP, increase(K, constant(16))),
      STORE_SUMS,
      increase(X_AT, get(ROW_BYTES), constant(1), SHIFT_LEFT),
      increase(OUT_AT, get(CHANNELS), constant(3), SHIFT_LEFT),
      increase(PIXEL, constant(2)),
    ),
    increase(W, get(ROW_BYTES), constant(2), SHIFT_LEFT),
    increase(CHANNEL, constant(4)),
  ),
];

function section(id: number, content: Code): Code {
  return [id, ...unsigned(content.length), ...content];
}

/** The module: imports memory `e.m`, exports the function `f`. */
export function dotProductModule(): Uint8Array<ArrayBuffer> {
  const [i32, v128] = [0x7f, 0x7b];
  const locals: Code = [2, 9, i32, 11, v128];
  const code = [...locals, ...BODY, 0x0b];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 6, i32, i32, i32, i32, i32, i32, 0]),
    ...section(2, [1, 1, 0x65, 1, 0x6d, 0x02, 0x00, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, 1, 0x66, 0x00, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ]);
}
