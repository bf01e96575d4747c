/** Builds small ONNX files in memory, with the same description of the format that the front end reads. */
import { MODEL_PROTO } from '../src/frontend/onnx/schema.js';

export type AttributeValue =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly strings: readonly string[] }
  | { readonly graph: object }
  | object;

export function node(
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attributes: Readonly<Record<string, AttributeValue>> = {},
  domain = '',
): object {
  const attribute = Object.entries(attributes).map(([name, value]) => attributeOf(name, value));
  return { opType, input, output, name: `${output[0]}_${opType}`, attribute, domain };
}

function attributeOf(name: string, value: AttributeValue): object {
  if (typeof value === 'number') return { name, i: value, type: 2 };
  if (typeof value === 'string') return { name, s: new TextEncoder().encode(value), type: 3 };
  if (Array.isArray(value)) return { name, ints: value, type: 7 };
  if ('float' in value) return { name, f: value.float, type: 1 };
  if ('floats' in value) return { name, floats: value.floats, type: 6 };
  if ('strings' in value)
    return { name, strings: value.strings.map((text) => new TextEncoder().encode(text)), type: 8 };
  if ('graph' in value) return { name, g: value.graph, type: 5 };
  return { name, t: value, type: 4 };
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

export function floats(name: string, dims: readonly number[], values: ArrayLike<number>): object {
  return { name, dims, dataType: 1, rawData: bytesOf(Float32Array.from(values)) };
}

export function int8s(name: string, dims: readonly number[], values: ArrayLike<number>): object {
  return { name, dims, dataType: 3, rawData: bytesOf(Int8Array.from(values)) };
}

export function uint8s(name: string, dims: readonly number[], values: ArrayLike<number>): object {
  return { name, dims, dataType: 2, rawData: bytesOf(Uint8Array.from(values)) };
}

export function int32s(name: string, dims: readonly number[], values: ArrayLike<number>): object {
  return { name, dims, dataType: 6, rawData: bytesOf(Int32Array.from(values)) };
}

/** A list of 64-bit integers, in the typed field rather than as raw bytes. */
export function ints(name: string, values: readonly number[], dims: readonly number[] = [values.length]): object {
  return { name, dims, dataType: 7, int64Data: values };
}

/** @param dims a string is an open dimension */
export function valueInfo(name: string, dims: readonly (number | string)[], elemType = 1): object {
  const dim = dims.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}

export interface ModelSpec {
  readonly nodes: readonly object[];
  readonly initializers?: readonly object[];
  readonly inputs: readonly object[];
  /** Names; their shapes are left to whoever runs the model. */
  readonly outputs: readonly string[];
  readonly opset?: number;
}

const isContributed = (message: object): boolean => 'domain' in message && message.domain === 'com.microsoft';

export function encodeModel(spec: ModelSpec): Uint8Array {
  const message = {
    irVersion: 8,
    opsetImport: [
      { domain: '', version: spec.opset ?? 13 },
      ...(spec.nodes.some(isContributed) ? [{ domain: 'com.microsoft', version: 1 }] : []),
    ],
    graph: {
      name: 'test',
      node: spec.nodes,
      initializer: spec.initializers ?? [],
      input: spec.inputs,
      output: spec.outputs.map((name) => ({ name, type: { tensorType: { elemType: 1 } } })),
    },
  };
  return MODEL_PROTO.encode(message).finish();
}

/** Numbers in [-1, 1), the same for the same seed. Park and Miller's generator: seeds differ, runs do not. */
export function randomFloats(elementCount: number, seed: number): Float32Array {
  let state = (seed * 7919 + 17) % 2147483647;
  return Float32Array.from({ length: elementCount }, () => {
    state = (state * 16807) % 2147483647;
    return (state / 2147483647) * 2 - 1;
  });
}

export function product(dims: readonly number[]): number {
  return dims.reduce((a, b) => a * b, 1);
}
