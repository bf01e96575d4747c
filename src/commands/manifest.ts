import { createHash } from 'node:crypto';
import { z } from 'zod';

/** What a DRAM byte is counted as. Code is fetched, not moved by commands. */
export const TRAFFIC_CLASSES = ['weights', 'activations', 'input', 'output', 'code'] as const;
export type TrafficClass = (typeof TRAFFIC_CLASSES)[number];

const bytes = z.int().nonnegative();
const positive = z.int().positive();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits');

/** Types of the elements of model inputs and outputs. */
export const PORT_DTYPES = ['int8', 'uint8', 'int16', 'int32', 'float32'] as const;
export type PortDType = (typeof PORT_DTYPES)[number];

/** A model input or output. Frame f of the batch begins at dramAddress + f * frameStrideBytes. */
const port = z.strictObject({
  name: z.string(),
  dramAddress: bytes,
  bytes: positive, // of one frame
  frameStrideBytes: bytes,
  dtype: z.enum(PORT_DTYPES),
  shape: z.array(positive), // in storage order, N = 1
  /** outside.shape[i] = shape[outsideAxes[i]]; absent when the outside sees the storage order. */
  outsideAxes: z.array(bytes).optional(),
  /** The shape that the outside sees where it differs by more than an axis order. */
  outsideShape: z.array(positive).optional(),
  /** Of an input: the output whose data it carries over from the frame before. Both have one place; dram.bin holds real zeros there. */
  stateOf: z.string().optional(),
  /** Where a state that stays in SRAM is after the prologue and after every period; its DRAM holds the first value. */
  sramAddress: bytes.optional(),
  quant: z.strictObject({ scale: z.number().positive(), zeroPoint: z.int() }).optional(),
});

/** DRAM that holds one thing. Regions do not overlap; every byte that a command moves lies in one. */
const region = z.strictObject({
  name: z.string(),
  class: z.enum(TRAFFIC_CLASSES),
  dramAddress: bytes,
  bytes,
});

/**
 * What a simulator must know of the chip to count and to time. `chip` of the manifest may hold more of the chip file
 * (sources, area, energy), which the simulator does not read.
 */
const manifestChip = z.looseObject({
  name: z.string(),
  clockHz: positive,
  sram: z.looseObject({ bytes: positive, bytesPerCycle: positive }),
  dram: z.looseObject({
    bytes: positive,
    bytesPerSecond: positive,
    burstBytes: positive,
    latencyCycles: bytes,
    pageBytes: positive.optional(),
    banks: positive.optional(),
    rowCycleCycles: bytes.optional(),
    activateCycles: bytes.optional(),
    turnaroundCycles: bytes.optional(),
    turnaroundBytes: positive.optional(),
  }),
  dma: z.looseObject({ channels: positive, setupCycles: bytes }),
  mac: z.looseObject({ rows: positive, columns: positive }),
  vector: z.looseObject({ lanes: positive }),
  commandFifoBytes: positive,
  commandCycles: bytes.optional(),
});

export const manifestSchema = z.strictObject({
  schema: z.literal('spillway-manifest/1'),
  model: z.string(),
  dtype: z.enum(['int8', 'float32']),
  versions: z.record(z.string(), z.string()), // of the program that compiled, by package
  chip: manifestChip,
  sramBytes: positive,
  /** DRAM addresses of the program lie in [0, dramBytes). */
  dramBytes: bytes,
  /** Frames per period. */
  batch: positive,
  inputs: z.array(port),
  outputs: z.array(port),
  regions: z.array(region),
  /** Where program.bin lies in DRAM. dram.bin holds the bytes from 0 to its length, and need not include the code. */
  code: z.strictObject({ dramAddress: bytes, bytes: positive }),
  hashes: z.strictObject({
    'program.bin': sha256,
    'dram.bin': sha256,
    /** Of the imported graph, for whoever compares with the reference; the simulator does not look. */
    'graph.ir': sha256.optional(),
    'graph.bin': sha256.optional(),
  }),
  /** Of this document without this field, in canonical form. */
  manifestHash: sha256,
});

export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestPort = z.infer<typeof port>;
export type ManifestRegion = z.infer<typeof region>;

export function sha256Hex(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex');
}

/** JSON without spaces, the keys of every object in code unit order: one text per value. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`;
}

/** The manifestHash that belongs to a manifest; one that is there already is left out. */
export function manifestHash(manifest: object): string {
  return sha256Hex(canonicalJson({ ...manifest, manifestHash: undefined }));
}

/** Adds the hash: the last step of writing a manifest. */
export function sealManifest(manifest: Omit<Manifest, 'manifestHash'>): Manifest {
  return { ...manifest, manifestHash: manifestHash(manifest) };
}

/**
 * The text of manifest.json, the only spelling that is accepted: a changed character that leaves the values as they are
 * (`1e-7`, `1E-7`) would pass any hash of the values.
 */
export function manifestText(manifest: object): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}
