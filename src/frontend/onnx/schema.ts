import protobuf from 'protobufjs/light.js';

/**
 * The messages of an ONNX file, as far as the importer reads them. Field numbers and types are facts of the public
 * format (onnx.proto3, "Open Neural Network Exchange"); fields left out here are skipped by the decoder.
 * 64-bit integers arrive as `Long` or number; `toInteger` in constant.ts turns them into numbers.
 */

type FieldSpec = readonly [id: number, type: string, rule?: 'repeated'];

const MESSAGES: Readonly<Record<string, Readonly<Record<string, FieldSpec>>>> = {
  ModelProto: {
    irVersion: [1, 'int64'],
    producerName: [2, 'string'],
    graph: [7, 'GraphProto'],
    opsetImport: [8, 'OperatorSetIdProto', 'repeated'],
    functions: [25, 'FunctionProto', 'repeated'],
  },
  FunctionProto: { name: [1, 'string'], domain: [10, 'string'] },
  OperatorSetIdProto: { domain: [1, 'string'], version: [2, 'int64'] },
  GraphProto: {
    node: [1, 'NodeProto', 'repeated'],
    name: [2, 'string'],
    initializer: [5, 'TensorProto', 'repeated'],
    input: [11, 'ValueInfoProto', 'repeated'],
    output: [12, 'ValueInfoProto', 'repeated'],
    valueInfo: [13, 'ValueInfoProto', 'repeated'],
    sparseInitializer: [15, 'SparseTensorProto', 'repeated'],
  },
  NodeProto: {
    input: [1, 'string', 'repeated'],
    output: [2, 'string', 'repeated'],
    name: [3, 'string'],
    opType: [4, 'string'],
    attribute: [5, 'AttributeProto', 'repeated'],
    domain: [7, 'string'],
  },
  AttributeProto: {
    name: [1, 'string'],
    f: [2, 'float'],
    i: [3, 'int64'],
    s: [4, 'bytes'],
    t: [5, 'TensorProto'],
    g: [6, 'GraphProto'],
    floats: [7, 'float', 'repeated'],
    ints: [8, 'int64', 'repeated'],
    strings: [9, 'bytes', 'repeated'],
    type: [20, 'int32'],
  },
  SparseTensorProto: { values: [1, 'TensorProto'] },
  TensorProto: {
    dims: [1, 'int64', 'repeated'],
    dataType: [2, 'int32'],
    floatData: [4, 'float', 'repeated'],
    int32Data: [5, 'int32', 'repeated'],
    int64Data: [7, 'int64', 'repeated'],
    name: [8, 'string'],
    rawData: [9, 'bytes'],
    doubleData: [10, 'double', 'repeated'],
    uint64Data: [11, 'uint64', 'repeated'],
    externalData: [13, 'StringStringEntryProto', 'repeated'],
    dataLocation: [14, 'int32'],
  },
  StringStringEntryProto: { key: [1, 'string'], value: [2, 'string'] },
  ValueInfoProto: { name: [1, 'string'], type: [2, 'TypeProto'] },
  TypeProto: { tensorType: [1, 'TensorTypeProto'] },
  TensorTypeProto: { elemType: [1, 'int32'], shape: [2, 'TensorShapeProto'] },
  TensorShapeProto: { dim: [1, 'DimensionProto', 'repeated'] },
  DimensionProto: { dimValue: [1, 'int64'], dimParam: [2, 'string'] },
};

/** proto3 leaves absent scalars undefined on the decoded object's own properties; repeated fields are always arrays. */
export type Int64 = number | { toNumber(): number };

export interface StringPairMessage {
  readonly key?: string;
  readonly value?: string;
}
export interface TensorMessage {
  readonly dims?: readonly Int64[];
  readonly dataType?: number;
  readonly floatData?: readonly number[];
  readonly int32Data?: readonly number[];
  readonly int64Data?: readonly Int64[];
  readonly doubleData?: readonly number[];
  readonly uint64Data?: readonly Int64[];
  readonly name?: string;
  readonly rawData?: Uint8Array;
  readonly externalData?: readonly StringPairMessage[];
  readonly dataLocation?: number;
}
export interface AttributeMessage {
  readonly name?: string;
  readonly f?: number;
  readonly i?: Int64;
  readonly s?: Uint8Array;
  readonly t?: TensorMessage | null;
  readonly g?: GraphMessage | null;
  readonly floats?: readonly number[];
  readonly ints?: readonly Int64[];
  readonly strings?: readonly Uint8Array[];
  readonly type?: number;
}
export interface NodeMessage {
  readonly input?: readonly string[];
  readonly output?: readonly string[];
  readonly name?: string;
  readonly opType?: string;
  readonly attribute?: readonly AttributeMessage[];
  readonly domain?: string;
}
export interface DimensionMessage {
  readonly dimValue?: Int64;
  readonly dimParam?: string;
}
export interface ValueInfoMessage {
  readonly name?: string;
  readonly type?: {
    readonly tensorType?: {
      readonly elemType?: number;
      readonly shape?: { readonly dim?: readonly DimensionMessage[] } | null;
    } | null;
  } | null;
}
export interface GraphMessage {
  readonly node?: readonly NodeMessage[];
  readonly name?: string;
  readonly initializer?: readonly TensorMessage[];
  readonly input?: readonly ValueInfoMessage[];
  readonly output?: readonly ValueInfoMessage[];
  readonly sparseInitializer?: readonly unknown[];
}
export interface ModelMessage {
  readonly irVersion?: Int64;
  readonly graph?: GraphMessage | null;
  readonly opsetImport?: readonly { readonly domain?: string; readonly version?: Int64 }[];
  readonly functions?: readonly { readonly name?: string; readonly domain?: string }[];
}

function buildModelType(): protobuf.Type {
  const root = new protobuf.Root();
  for (const [name, fields] of Object.entries(MESSAGES)) {
    const type = new protobuf.Type(name);
    for (const [field, [id, fieldType, rule]] of Object.entries(fields)) {
      type.add(new protobuf.Field(field, id, fieldType, rule));
    }
    root.add(type);
  }
  return root.lookupType('ModelProto');
}

/** The reflected `ModelProto`; tests encode their models with it. */
export const MODEL_PROTO: protobuf.Type = buildModelType();
