import { toInteger } from './constant.js';
import type { OnnxNode } from './graph.js';
import { malformed } from './problems.js';
import type { AttributeMessage } from './schema.js';

/** AttributeProto.AttributeType; 0 in files older than the field, where the type is taken on trust. */
const TYPE_CODES = { FLOAT: 1, INT: 2, STRING: 3, TENSOR: 4, FLOATS: 6, INTS: 7 } as const;

function attribute(node: OnnxNode, name: string, type: keyof typeof TYPE_CODES): AttributeMessage | undefined {
  const found = node.attributes.get(name);
  if (found === undefined) return undefined;
  const code = found.type ?? 0;
  if (code !== 0 && code !== TYPE_CODES[type]) {
    malformed(
      'SW2007',
      node.loc,
      `attribute '${name}' of ${node.operator} must be of type ${type}, is of type ${code}`,
    );
  }
  return found;
}

export function intAttribute(node: OnnxNode, name: string, fallback: number): number {
  const found = attribute(node, name, 'INT');
  return found === undefined ? fallback : toInteger(found.i ?? 0);
}

export function floatAttribute(node: OnnxNode, name: string, fallback: number): number {
  const found = attribute(node, name, 'FLOAT');
  return found === undefined ? fallback : (found.f ?? 0);
}

export function intsAttribute(node: OnnxNode, name: string): readonly number[] | undefined {
  return attribute(node, name, 'INTS')?.ints?.map(toInteger);
}

export function floatsAttribute(node: OnnxNode, name: string): readonly number[] | undefined {
  return attribute(node, name, 'FLOATS')?.floats;
}

export function stringAttribute(node: OnnxNode, name: string, fallback: string): string {
  const bytes = attribute(node, name, 'STRING')?.s;
  return bytes === undefined ? fallback : Buffer.from(bytes).toString(); // an empty one may arrive as a plain array
}

/** @returns axis in [0, rank) */
export function normaliseAxis(node: OnnxNode, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    malformed('SW2007', node.loc, `axis ${axis} of ${node.operator} is outside a tensor of ${rank} dimension(s)`);
  }
  return axis < 0 ? axis + rank : axis;
}

/** Attributes of a node that stands in no file. */
export function attributesOf(
  given: Readonly<Record<string, number | readonly number[] | string | { readonly real: number }>>,
): ReadonlyMap<string, AttributeMessage> {
  const message = (name: string, value: (typeof given)[string]): AttributeMessage => {
    if (typeof value === 'number') return { name, i: value, type: TYPE_CODES.INT };
    if (typeof value === 'string') return { name, s: new TextEncoder().encode(value), type: TYPE_CODES.STRING };
    if ('real' in value) return { name, f: value.real, type: TYPE_CODES.FLOAT };
    return { name, ints: [...value], type: TYPE_CODES.INTS };
  };
  return new Map(Object.entries(given).map(([name, value]) => [name, message(name, value)]));
}
