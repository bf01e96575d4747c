import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type Diagnostic, SpillwayError } from '../base/diagnostic.js';
import { findJsonPath } from './json-position.js';
import { nearestName } from './nearest-name.js';
import { isJsonObject, mergeVariant } from './variant.js';

const positiveInteger = z.int().positive();
const notNegative = z.int().nonnegative();

/**
 * A chip file, checked. Units are in the names; MB of published chips is taken as 2^20 bytes.
 * `sources` says for every number, by its path ("sram.bytes"), where it comes from or that it is an assumption of ours.
 */
export const chipSchema = z.strictObject({
  $schema: z.string().optional(),
  name: z.string().min(1),
  description: z.string().optional(),
  clockHz: positiveInteger,
  sram: z.strictObject({
    bytes: positiveInteger,
    /** Buffers begin at multiples of this. */
    alignmentBytes: positiveInteger,
    bytesPerCycle: positiveInteger,
    areaMm2PerMiB: z.number().positive(),
    /** Of a byte through the ports. */
    energyPicojoulesPerByte: z.number().nonnegative().optional(),
  }),
  dram: z.strictObject({
    bytes: positiveInteger,
    bytesPerSecond: positiveInteger,
    /** A run of consecutive bytes occupies the interface for a multiple of this. Traffic is counted in bytes moved. */
    burstBytes: positiveInteger,
    latencyCycles: notNegative,
    energyPicojoulesPerByte: z.number().positive(),
    /** What is open at once in all devices of the interface; without it a page is never left. */
    pageBytes: positiveInteger.optional(),
    banks: positiveInteger.optional(),
    /** From a page that is opened to the next one in the same bank, and in any bank. */
    rowCycleCycles: notNegative.optional(),
    activateCycles: notNegative.optional(),
    /** Between reading and writing, and the bytes that are moved from one turn to the next. */
    turnaroundCycles: notNegative.optional(),
    turnaroundBytes: positiveInteger.optional(),
  }),
  dma: z.strictObject({
    channels: positiveInteger,
    setupCycles: notNegative,
  }),
  /** Rows take input channels, columns output channels. */
  mac: z.strictObject({
    rows: positiveInteger,
    columns: positiveInteger,
    /** Of a multiplication and its addition, in int8. */
    energyPicojoules: z.number().nonnegative().optional(),
  }),
  vector: z.strictObject({ lanes: positiveInteger }),
  commandFifoBytes: positiveInteger,
  /** Of the command processor, per command. */
  commandCycles: notNegative.optional(),
  sources: z.record(z.string(), z.string().min(1)),
});

export type Chip = z.infer<typeof chipSchema>;

/** Paths of the numbers of a chip. Those that it has are the keys that `sources` must have. */
export const CHIP_NUMBERS = [
  'clockHz',
  'sram.bytes',
  'sram.alignmentBytes',
  'sram.bytesPerCycle',
  'sram.areaMm2PerMiB',
  'sram.energyPicojoulesPerByte',
  'dram.bytes',
  'dram.bytesPerSecond',
  'dram.burstBytes',
  'dram.latencyCycles',
  'dram.energyPicojoulesPerByte',
  'dram.pageBytes',
  'dram.banks',
  'dram.rowCycleCycles',
  'dram.activateCycles',
  'dram.turnaroundCycles',
  'dram.turnaroundBytes',
  'dma.channels',
  'dma.setupCycles',
  'mac.rows',
  'mac.columns',
  'mac.energyPicojoules',
  'vector.lanes',
  'commandFifoBytes',
  'commandCycles',
] as const;

/** The number at a path of CHIP_NUMBERS; undefined when the chip does not say it. */
export function chipNumber(chip: Chip, path: string): number | undefined {
  let value: unknown = chip;
  for (const key of path.split('.')) value = isJsonObject(value) ? value[key] : undefined;
  return typeof value === 'number' ? value : undefined;
}

/** The folder of the chips that come with Spillway: beside src/ in the checkout, beside dist/ when built. */
export function targetsDirectory(): string {
  const candidates = ['../../targets', '../../../targets'].map((path) => fileURLToPath(new URL(path, import.meta.url)));
  return candidates.find((path) => existsSync(join(path, 'chip-a.json'))) ?? candidates[0] ?? 'targets';
}

/** Names of the chips in a folder, in alphabetical order. */
export function listChips(directory = targetsDirectory()): string[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.json') && !file.endsWith('.schema.json'))
    .map((file) => basename(file, '.json'))
    .sort();
}

/**
 * @param nameOrPath a name in targets/, or the path of a chip file
 * @throws SpillwayError SW3101 (no such chip), SW3102 (not JSON), SW3103 (a value is wrong; one diagnostic each),
 *   SW3104 (a chain of `extends` that comes back to itself)
 */
export function loadChip(nameOrPath: string): Chip {
  return loadChipOf(nameOrPath, []);
}

const isPath = (nameOrPath: string): boolean =>
  nameOrPath.includes('/') || nameOrPath.includes('\\') || nameOrPath.endsWith('.json');

/** @param chain files that extend this one, the outermost first */
function loadChipOf(nameOrPath: string, chain: readonly string[]): Chip {
  const file = isPath(nameOrPath) ? nameOrPath : join(targetsDirectory(), `${nameOrPath}.json`);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new SpillwayError([unreadable(nameOrPath, isPath(nameOrPath), error)]);
  }
  return parseChip(text, isPath(nameOrPath) ? nameOrPath : `targets/${nameOrPath}.json`, [...chain, resolve(file)]);
}

function unreadable(nameOrPath: string, isPath: boolean, error: unknown): Diagnostic {
  const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
  const loc = { file: nameOrPath };
  if (isPath) return { code: 'SW3101', blame: 'input', message: `the chip file cannot be read (${reason})`, loc };
  const chips = listChips();
  const nearest = nearestName(nameOrPath, chips);
  return {
    code: 'SW3101',
    blame: 'input',
    message: `there is no target '${nameOrPath}'`,
    loc,
    hint: `${nearest === undefined ? '' : `did you mean '${nearest}'? `}targets: ${chips.join(', ')}; or give the path of a chip file`,
  };
}

/**
 * @param file name for diagnostics; a relative path in `extends` begins at its folder
 * @param chain absolute paths of this file and of those that extend it
 */
export function parseChip(text: string, file: string, chain: readonly string[] = []): Chip {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new SpillwayError([
      { code: 'SW3102', blame: 'input', message: `not a JSON document: ${message}`, loc: { file } },
    ]);
  }
  const result = chipSchema.safeParse(withBase(value, text, file, chain));
  if (!result.success) {
    throw new SpillwayError(result.error.issues.flatMap((issue) => issueDiagnostics(issue, text, file)));
  }
  const { data: chip } = result;
  const missing = CHIP_NUMBERS.filter(
    (path) => chipNumber(chip, path) !== undefined && chip.sources[path] === undefined,
  );
  if (missing.length > 0) {
    throw new SpillwayError([
      {
        code: 'SW3103',
        blame: 'input',
        message: `sources does not say where these numbers come from: ${missing.join(', ')}`,
        loc: { file, ...findJsonPath(text, ['sources']) },
        hint: 'add an entry per number, for example "sources": {"sram.bytes": "data sheet, page 3"}',
      },
    ]);
  }
  return result.data;
}

/** The whole document of a variant; any other as it is. */
function withBase(value: unknown, text: string, file: string, chain: readonly string[]): unknown {
  if (!isJsonObject(value) || value.extends === undefined) return value;
  const loc = { file, ...findJsonPath(text, ['extends']) };
  const refuse = (code: Diagnostic['code'], message: string, hint: string): never => {
    throw new SpillwayError([{ code, blame: 'input', message, loc, hint }]);
  };
  const { extends: base } = value;
  if (typeof base !== 'string') return refuse('SW3103', 'extends: expected string', 'a name in targets/, or a path');
  const path = isPath(base) ? resolve(dirname(chain.at(-1) ?? file), base) : base;
  const baseFile = isPath(base) ? path : join(targetsDirectory(), `${base}.json`);
  if (chain.includes(resolve(baseFile))) {
    refuse(
      'SW3104',
      `extends: '${base}' extends this file in turn`,
      'a chain of variants must end in a whole chip file',
    );
  }
  if (!existsSync(baseFile)) {
    const nearest = nearestName(base, listChips());
    const known = isPath(base) ? `no file ${path}` : `targets: ${listChips().join(', ')}; or give a path`;
    refuse(
      'SW3101',
      `extends: there is no target '${base}'`,
      `${nearest ? `did you mean '${nearest}'? ` : ''}${known}`,
    );
  }
  return mergeVariant(loadChipOf(path, chain), value);
}

/** Keys that a chip file may have at a path, for the nearest known name. */
function knownKeys(path: readonly PropertyKey[]): string[] {
  if (path.length === 0) return [...Object.keys(chipSchema.shape), 'extends'];
  let schema: unknown = chipSchema;
  for (const key of path) schema = schema instanceof z.ZodObject ? schema.shape[String(key)] : undefined;
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

function issueDiagnostics(issue: z.core.$ZodIssue, text: string, file: string): Diagnostic[] {
  const at = (path: readonly PropertyKey[]) => ({ file, ...findJsonPath(text, path.map(String)) });
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key): Diagnostic => {
      const nearest = nearestName(key, knownKeys(issue.path));
      const path = [...issue.path, key];
      const message = `${path.join('.')}: there is no such key in a chip file`;
      const hint = nearest === undefined ? {} : { hint: `did you mean '${nearest}'?` };
      return { code: 'SW3103', blame: 'input', message, loc: at(path), ...hint };
    });
  }
  const path = issue.path.length === 0 ? 'the document' : issue.path.join('.');
  const message = `${path}: ${issueText(issue)}`;
  return [{ code: 'SW3103', blame: 'input', message, loc: at(issue.path) }];
}

function issueText(issue: z.core.$ZodIssue): string {
  if (issue.code === 'too_small') return `must be ${issue.inclusive ? 'at least' : 'greater than'} ${issue.minimum}`;
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}`;
  const text = issue.message.replace(/^Invalid input: /, '');
  return text.replace(/, received undefined$/, ', but it is missing');
}
