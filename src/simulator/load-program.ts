import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Diagnostic, SpillwayError } from '../base/diagnostic.js';
import { type DecodedProgram, decodeProgram } from '../commands/decode.js';
import { type Manifest, manifestHash, manifestSchema, manifestText, sha256Hex } from '../commands/manifest.js';
import { ELEMENT_BYTES } from './ports.js';

/** A compiled program, checked as far as that is possible without running it. */
export interface LoadedProgram {
  readonly manifest: Manifest;
  readonly program: DecodedProgram;
  /** The DRAM bytes from address 0 when the machine is switched on. */
  readonly dramImage: Uint8Array;
}

/**
 * Reads program.bin, dram.bin and manifest.json of a compiled directory, and nothing else.
 *
 * @throws SpillwayError SW4020 (unreadable), SW4021 (manifest malformed), SW4022 (a hash differs), SW4023 (the files contradict
 * each other), SW4001 to SW4004 (program.bin)
 */
export function loadProgramDirectory(directory: string): LoadedProgram {
  const read = (name: string): Uint8Array => {
    try {
      return readFileSync(join(directory, name));
    } catch (error) {
      const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
      return refuse('SW4020', join(directory, name), `cannot be read (${reason})`, COMPILE);
    }
  };
  const manifestBytes = read('manifest.json');
  const manifest = readManifest(new TextDecoder().decode(manifestBytes), join(directory, 'manifest.json'));
  return loadProgram(manifest, read('program.bin'), read('dram.bin'), directory);
}

const COMPILE = 'compile the model again: spillway compile MODEL --target T -o DIR';

function refuse(code: Diagnostic['code'], file: string, message: string, hint?: string): never {
  throw new SpillwayError([{ code, blame: 'input', message, loc: { file }, ...(hint === undefined ? {} : { hint }) }]);
}

/** @param file name for diagnostics */
export function readManifest(text: string, file: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return refuse('SW4021', file, `not a JSON document: ${error instanceof Error ? error.message : error}`, COMPILE);
  }
  const result = manifestSchema.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues;
    const path = issue === undefined || issue.path.length === 0 ? 'the document' : issue.path.join('.');
    return refuse('SW4021', file, `${path}: ${issue?.message ?? 'malformed'}`, COMPILE);
  }
  if (typeof value !== 'object' || value === null || manifestHash(value) !== result.data.manifestHash) {
    return refuse('SW4022', file, 'the manifest was changed after it was written: its own hash differs', COMPILE);
  }
  if (manifestText(value) !== text) {
    return refuse('SW4022', file, 'the manifest was changed after it was written: it is spelled differently', COMPILE);
  }
  return result.data;
}

/** @param directory name for diagnostics */
export function loadProgram(
  manifest: Manifest,
  programBytes: Uint8Array,
  dramImage: Uint8Array,
  directory: string,
): LoadedProgram {
  const programFile = join(directory, 'program.bin');
  const program = decodeProgram(programBytes, programFile);
  if (sha256Hex(programBytes) !== manifest.hashes['program.bin']) {
    refuse('SW4022', programFile, 'is not the file that the manifest was written for: its hash differs', COMPILE);
  }
  const dramFile = join(directory, 'dram.bin');
  if (sha256Hex(dramImage) !== manifest.hashes['dram.bin']) {
    refuse('SW4022', dramFile, 'is not the file that the manifest was written for: its hash differs', COMPILE);
  }
  const problem = contradiction(manifest, programBytes.length, dramImage.length);
  if (problem !== undefined) refuse('SW4023', join(directory, 'manifest.json'), problem, COMPILE);
  return { manifest, program, dramImage };
}

/** The first thing in which the files do not go together. */
function contradiction(manifest: Manifest, programBytes: number, imageBytes: number): string | undefined {
  const { dramBytes, code, chip, batch } = manifest;
  if (code.bytes !== programBytes) return `code.bytes is ${code.bytes}, but program.bin has ${programBytes} B`;
  if (imageBytes > dramBytes) return `dram.bin has ${imageBytes} B, but dramBytes is ${dramBytes}`;
  if (manifest.sramBytes !== chip.sram.bytes) {
    return `sramBytes is ${manifest.sramBytes}, but the chip has ${chip.sram.bytes} B`;
  }
  if (dramBytes > chip.dram.bytes) return `dramBytes is ${dramBytes}, but the chip has ${chip.dram.bytes} B`;
  let end = 0;
  let last = '';
  for (const region of [...manifest.regions].sort((a, b) => a.dramAddress - b.dramAddress)) {
    if (region.dramAddress < end) return `regions ${last} and ${region.name} overlap`;
    if (region.bytes > 0) last = region.name;
    end = Math.max(end, region.dramAddress + region.bytes);
    if (end > dramBytes) return `region ${region.name} ends at ${end}, but dramBytes is ${dramBytes}`;
    if (region.class === 'weights' && end > imageBytes) {
      return `region ${region.name} (weights) ends at ${end}, but dram.bin has ${imageBytes} B`;
    }
  }
  for (const port of [...manifest.inputs, ...manifest.outputs]) {
    const elements = port.shape.reduce((a, b) => a * b, 1);
    const outside = port.outsideShape?.reduce((a, b) => a * b, 1) ?? elements;
    if (elements * ELEMENT_BYTES[port.dtype] !== port.bytes) return `${port.name}: shape and bytes do not agree`;
    if (outside !== elements) return `${port.name}: shape and outsideShape do not agree`;
    const axes = port.outsideAxes;
    if (axes !== undefined && [...axes].sort((a, b) => a - b).join() !== [...port.shape.keys()].join()) {
      return `${port.name}: outsideAxes is not a permutation of its axes`;
    }
    if (port.dramAddress + (batch - 1) * port.frameStrideBytes + port.bytes > dramBytes) {
      return `${port.name} does not lie in DRAM`;
    }
  }
  return undefined;
}
