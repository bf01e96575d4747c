import { readFileSync } from 'node:fs';
import { MODEL_PROTO, type ModelMessage } from '../src/frontend/onnx/schema.js';
import { floats, product, randomFloats } from './onnx-models.js';

/**
 * A structural model, whose weights are all one value, with random ones in their place: a channel that ends up in the
 * wrong position changes the result. The Softmax at the end is left out, since large values would hide all but one. Matrices are scaled so that activations keep their size; vectors are positive, so
 * that any may be a variance.
 */
export function withRandomWeights(path: string): Uint8Array {
  const model = MODEL_PROTO.decode(readFileSync(path)) as unknown as ModelMessage;
  const shapes = new Map<string, number[]>();
  for (const tensor of model.graph?.initializer ?? []) {
    const raw = tensor.rawData ?? new Uint8Array(0);
    const longs = new BigInt64Array(new Uint8Array(raw).buffer.slice(0, raw.length & ~7));
    if (tensor.dataType === 7) shapes.set(tensor.name ?? '', Array.from(longs, Number));
  }
  const random: object[] = [];
  const nodes = (model.graph?.node ?? []).filter((node) => {
    const dims = shapes.get(node.input?.[0] ?? '');
    if (node.opType === 'Softmax') return false;
    if (node.opType !== 'ConstantOfShape' || dims === undefined) return true;
    const scale = dims.length > 1 ? Math.sqrt(6 / product(dims.slice(1))) : 0.5;
    const shift = dims.length > 1 ? 0 : 1;
    const values = randomFloats(product(dims), random.length + 1).map((v) => v * scale + shift);
    random.push(floats(node.output?.[0] ?? '', dims, values));
    return false;
  });
  const initializer = [...(model.graph?.initializer ?? []), ...random];
  const last = nodes.at(-1)?.output?.[0];
  const output = (model.graph?.output ?? []).map((info) => ({
    name: last,
    type: { tensorType: { elemType: info.type?.tensorType?.elemType } },
  }));
  const graph = { ...model.graph, node: nodes, initializer, output };
  return MODEL_PROTO.encode({ ...model, irVersion: 8, graph }).finish();
}
