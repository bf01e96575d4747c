/**
 * An assembler for WebAssembly: from expressions written as calls to the bytes of a module. It knows the encoding of the
 * WebAssembly Core Specification 2.0 with its vector instructions, and nothing of what is computed with them.
 *
 * Instructions are functions from the code of their operands to code: `add(get(a), constant(4))`. Types are not tracked here;
 * an engine refuses a module in which they do not fit.
 */
export type Code = readonly number[];

export type ValueType = 'i32' | 'i64' | 'f32' | 'v128';

const TYPE_BYTES: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, v128: 0x7b };

/** Of a function whose parameters are all i32, without a result. */
export class WasmFunction {
  private readonly locals: ValueType[] = [];
  private body: Code = [];

  constructor(
    readonly name: string,
    readonly parameters: number,
  ) {}

  /** A new local variable, zero at first. */
  local(type: ValueType): number {
    return this.parameters + this.locals.push(type) - 1;
  }

  locals4(type: ValueType): [number, number, number, number] {
    return [this.local(type), this.local(type), this.local(type), this.local(type)];
  }

  write(...body: Code[]): this {
    this.body = body.flat();
    return this;
  }

  code(): Code {
    const declared = this.locals.flatMap((type) => [1, TYPE_BYTES[type]]);
    const code = [...unsigned(this.locals.length), ...declared, ...this.body, 0x0b];
    return [...unsigned(code.length), ...code];
  }
}

/** A module that imports the memory `e.m` and exports the functions by their names. */
export function moduleBytes(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const types = functions.flatMap(({ parameters }) => [
    0x60,
    ...unsigned(parameters),
    ...new Array<number>(parameters).fill(TYPE_BYTES.i32),
    0,
  ]);
  const count = unsigned(functions.length);
  const exported = functions.flatMap(({ name }, i) => [name.length, ...Buffer.from(name), 0x00, ...unsigned(i)]);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [...count, ...types]),
    ...section(2, [1, 1, 0x65, 1, 0x6d, 0x02, 0x00, 1]),
    ...section(3, [...count, ...functions.flatMap((_, i) => unsigned(i))]),
    ...section(7, [...count, ...exported]),
    ...section(10, [...count, ...functions.flatMap((one) => one.code())]),
  ]);
}

function section(id: number, content: Code): Code {
  return [id, ...unsigned(content.length), ...content];
}

/** LEB128. */
function unsigned(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128);
  return [...out, rest];
}

function signed(value: bigint): number[] {
  const out: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    const low = Number(rest & 127n);
    if (rest >= -64n && rest < 64n) return [...out, low];
    out.push(low + 128);
  }
}

const VECTOR = 0xfd;
const plain =
  (opcode: number) =>
  (...operands: Code[]): Code => [...operands.flat(), opcode];
const vector =
  (opcode: number) =>
  (...operands: Code[]): Code => [...operands.flat(), VECTOR, ...unsigned(opcode)];
/** A load or store at an address plus a constant offset, without a promise of alignment. */
const memory =
  (...opcode: number[]) =>
  (address: Code, offset = 0, value: Code = []): Code => [...address, ...value, ...opcode, 0, ...unsigned(offset)];
const lane =
  (opcode: number) =>
  (index: number, ...operands: Code[]): Code => [...operands.flat(), VECTOR, ...unsigned(opcode), index];

export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)];
export const constant = (value: number): Code => [0x41, ...signed(BigInt(value | 0))];
export const constant64 = (value: bigint): Code => [0x42, ...signed(value)];

export const i32 = {
  add: plain(0x6a),
  sub: plain(0x6b),
  mul: plain(0x6c),
  and: plain(0x71),
  or: plain(0x72),
  shl: plain(0x74),
  shrS: plain(0x75),
  shrU: plain(0x76),
  eqz: plain(0x45),
  eq: plain(0x46),
  ltS: plain(0x48),
  ltU: plain(0x49),
  gtS: plain(0x4a),
  gtU: plain(0x4b),
  xor: plain(0x73),
  /** The first if the third is not zero, else the second. */
  select: plain(0x1b),
  wrap: plain(0xa7), // the low half of an i64
  truncateSaturated: plain2(0xfc, 0x00), // of an f32
  load: memory(0x28),
  load8S: memory(0x2c),
  load8U: memory(0x2d),
  load16U: memory(0x2f),
  store: memory(0x36),
  store8: memory(0x3a),
  store16: memory(0x3b),
};

export const i64 = {
  add: plain(0x7c),
  mul: plain(0x7e),
  shl: plain(0x86),
  shrS: plain(0x87),
  ltS: plain(0x53),
  gtS: plain(0x55),
  select: plain(0x1b),
  extend: plain(0xac), // a signed i32
};

export const f64 = {
  add: plain(0xa0),
  load: memory(0x2b),
};

export const f32 = {
  demote: plain(0xb6), // an f64
  min: plain(0x96),
  max: plain(0x97),
  add: plain(0x92),
  mul: plain(0x94),
  nearest: plain(0x90),
  fromInt: plain(0xb2),
  fromBits: plain(0xbe),
};

function plain2(first: number, second: number) {
  return (...operands: Code[]): Code => [...operands.flat(), first, second];
}

export const v128 = {
  load: memory(VECTOR, 0x00),
  load8x8S: memory(VECTOR, 0x01),
  load8x8U: memory(VECTOR, 0x02),
  load32Splat: memory(VECTOR, 0x09),
  store: memory(VECTOR, 0x0b),
  zero: [VECTOR, 0x0c, ...new Array<number>(16).fill(0)] as Code,
  /** Bytes of two vectors by their indexes 0..31. */
  shuffle: (indexes: readonly number[], a: Code, b: Code): Code => [...a, ...b, VECTOR, 0x0d, ...indexes],
  and: vector(0x4e),
};

export const i8x16 = {
  splat: vector(0x0f),
  minS: vector(0x76),
  minU: vector(0x77),
  maxS: vector(0x78),
  maxU: vector(0x79),
  /** Of i16x8, saturated. */
  narrowS: vector(0x65),
  narrowU: vector(0x66),
};

export const i16x8 = {
  splat: vector(0x10),
  add: vector(0x8e),
  sub: vector(0x91),
  mul: vector(0x95),
  /** Of i32x4, saturated. */
  narrowS: vector(0x85),
};

export const i32x4 = {
  splat: vector(0x11),
  lane: lane(0x1b),
  replace: lane(0x1c),
  add: vector(0xae),
  mul: vector(0xb5),
  minS: vector(0xb6),
  maxS: vector(0xb8),
  shrS: vector(0xac),
  /** Pairs of i16 multiplied, and both products of four bytes added. */
  dot: vector(0xba),
  /** Products of the lower or upper four i16. */
  productLow: vector(0xbc),
  productHigh: vector(0xbd),
  truncateSaturated: vector(0xf8), // of f32x4
};

export const i64x2 = {
  splat: vector(0x12),
  add: vector(0xce),
  shrU: vector(0xcd),
  /** Products of the lower or upper two i32. */
  productLow: vector(0xdc),
  productHigh: vector(0xdd),
};

export const f32x4 = {
  splat: vector(0x13),
  mul: vector(0xe6),
  min: vector(0xe8),
  max: vector(0xe9),
  nearest: vector(0x6a),
  fromInt: vector(0xfa),
};

/** The four bytes of lane i of two vectors: indexes 0..3 are of the first, 4..7 of the second. */
export function shuffle32(lanes: readonly number[], a: Code, b: Code): Code {
  return v128.shuffle(
    lanes.flatMap((one) => [4 * one, 4 * one + 1, 4 * one + 2, 4 * one + 3]),
    a,
    b,
  );
}

/** local += value */
export const increase = (local: number, value: Code): Code => set(local, i32.add(get(local), value));

/** Repeats the body until the condition, an i32, is zero after it; runs it at least once. */
export const repeatWhile = (condition: Code, ...body: Code[]): Code => [
  ...[0x03, 0x40],
  ...body.flat(),
  ...condition,
  ...[0x0d, 0x00],
  0x0b,
];

/** Runs the code if the condition, an i32, is not zero. */
export const when = (condition: Code, ...body: Code[]): Code => [...condition, 0x04, 0x40, ...body.flat(), 0x0b];

/** One of two pieces of code. */
export const either = (condition: Code, then: Code, otherwise: Code): Code => [
  ...[...condition, 0x04, 0x40],
  ...[...then, 0x05],
  ...[...otherwise, 0x0b],
];

/** As `either`, with a v128 as the result of both. */
export const eitherVector = (condition: Code, then: Code, otherwise: Code): Code => [
  ...[...condition, 0x04, TYPE_BYTES.v128],
  ...[...then, 0x05],
  ...[...otherwise, 0x0b],
];

/** The local variables that a function's parameters are, by names given in their order. */
export function parameters<const Names extends readonly string[]>(
  ...names: Names
): { readonly [Name in Names[number]]: number } {
  return Object.fromEntries(names.map((name, index) => [name, index])) as { [Name in Names[number]]: number };
}

/** Repeats the body while local < limit (unsigned); the body must make local grow. */
export const whileBelow = (local: number, limit: Code, ...body: Code[]): Code =>
  when(i32.ltU(get(local), limit), repeatWhile(i32.ltU(get(local), limit), ...body));
