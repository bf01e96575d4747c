/** The whole command stream of a schedule, and the files that a simulator starts from. */
import { encodeStream } from '../commands/encode.js';
import { type Manifest, type ManifestPort, sealManifest, sha256Hex } from '../commands/manifest.js';
import type { CommandStream } from '../commands/types.js';
import { sizeBytes, tensorOf } from '../ir/facts.js';
import type { Program, TensorId } from '../ir/types.js';
import { type Schedule, stateOffsetBytes } from '../schedule/schedule.js';
import { alignUp } from '../schedule/tiling.js';
import type { Chip } from '../target/chip.js';
import { type DramLayout, dramAddressOf, dramImage, layOutDram, layoutOfGroup } from './dram-layout.js';
import { emitBlock } from './emit-block.js';
import { emitLayer } from './emit-layer.js';
import { Emitter } from './emitter.js';
import { emitEvictions, emitReturns } from './frames.js';
import { contextAt, type LayerContext } from './layer-views.js';
import { unitName } from './preloads.js';

export interface EmittedProgram {
  readonly stream: CommandStream;
  readonly programBytes: Uint8Array; // program.bin
  readonly layout: DramLayout;
  readonly chip: Chip;
  /** dram.bin, and the manifest with its hash: made when they are first asked for. */
  readonly dramImage: Uint8Array;
  readonly manifest: Manifest;
}

export interface EmitOptions {
  readonly chip: Chip;
  readonly dtype: 'int8' | 'float32';
  readonly version: string;
}

/** @param schedule with addresses assigned */
export function emitProgram(schedule: Schedule, options: EmitOptions): EmittedProgram {
  const layout = layOutDram(schedule);
  const stream = { prologue: emitPrologue(schedule, layout), period: emitPeriod(schedule, layout) };
  const programBytes = encodeStream(stream);
  let image: Uint8Array | undefined;
  let manifest: Manifest | undefined;
  return {
    stream,
    programBytes,
    layout,
    chip: options.chip,
    get dramImage() {
      image ??= dramImage(schedule, layout);
      return image;
    },
    get manifest() {
      manifest ??= describe(schedule, this, options);
      return manifest;
    },
  };
}

/** Loads the resident share of every layer's constants, and the states that stay in SRAM, once. */
function emitPrologue(schedule: Schedule, layout: DramLayout): CommandStream['prologue'] {
  const emitter = new Emitter();
  schedule.layers.forEach((scheduled, t) => {
    const bytes = scheduled.residentBytes;
    if (bytes === 0) return;
    emitter.layer = scheduled.layer.op.name;
    emitter.add('load', {
      dramBase: layout.weightAddresses[t] ?? 0,
      sramBase: scheduled.residentOffsetBytes,
      bytes,
      limit: bytes,
    });
  });
  for (const state of schedule.states) {
    if (!state.inSram) continue;
    const bytes = schedule.roots.get(state.input)?.sizeBytes ?? 0;
    const dramBase = layout.rootAddresses.get(state.input) ?? 0;
    emitter.add('load', { dramBase, sramBase: stateOffsetBytes(schedule, state), bytes, limit: bytes });
  }
  emitter.add('endPrologue', {});
  return emitter.finish();
}

function emitPeriod(schedule: Schedule, layout: DramLayout): CommandStream['period'] {
  const emitter = new Emitter();
  for (let group = 0; group < schedule.groups; group += 1) {
    emitGroup(emitter, schedule, layoutOfGroup(schedule, layout, group));
  }
  const period = emitter.finish();
  return [...period, { op: 'endPeriod', fields: {} }];
}

function emitGroup(emitter: Emitter, schedule: Schedule, layout: DramLayout): void {
  const contextOf = (step: number): LayerContext => contextAt(schedule, layout, step);
  for (let step = 0; step < schedule.layers.length; step += 1) {
    const block = schedule.blocks[schedule.layers[step]?.block ?? -1];
    emitter.layer = unitName(schedule, step);
    emitter.step = step;
    emitEvictions(emitter, contextOf(step));
    if (block === undefined) emitLayer(emitter, contextOf(step));
    else {
      emitBlock(emitter, block, contextOf);
      step = block.plan.last;
    }
    emitReturns(emitter, contextOf(step));
  }
}

function describe(schedule: Schedule, emitted: EmittedProgram, options: EmitOptions): Manifest {
  const { layout, programBytes } = emitted;
  const codeAddress = layout.endAddress;
  const { program } = schedule;
  return sealManifest({
    schema: 'spillway-manifest/1',
    model: program.name,
    dtype: options.dtype,
    versions: { spillway: options.version },
    chip: options.chip,
    sramBytes: options.chip.sram.bytes,
    dramBytes: alignUp(codeAddress + programBytes.length, 64),
    batch: schedule.batch * schedule.groups,
    inputs: program.inputs.map((id, i) => ({ ...portOf(schedule, layout, id), ...stateOf(program, i) })),
    outputs: program.outputs.map((id) => portOf(schedule, layout, id)),
    regions: [...layout.regions, { name: 'code', class: 'code', dramAddress: codeAddress, bytes: programBytes.length }],
    code: { dramAddress: codeAddress, bytes: programBytes.length },
    hashes: { 'program.bin': sha256Hex(programBytes), 'dram.bin': sha256Hex(emitted.dramImage) },
  });
}

function stateOf(program: Program, input: number): { stateOf?: string } {
  const link = program.states?.find((state) => state.input === input);
  const output = link === undefined ? undefined : program.outputs[link.output];
  return output === undefined ? {} : { stateOf: tensorOf(program, output).name };
}

function portOf(schedule: Schedule, layout: DramLayout, id: TensorId): ManifestPort {
  const tensor = tensorOf(schedule.program, id);
  const root = tensor.storage?.root ?? id;
  const quant = tensor.quant;
  const state = schedule.states.find(({ input, output }) => id === input || id === output);
  const sramAddress = state === undefined ? -1 : stateOffsetBytes(schedule, state);
  return {
    name: tensor.name,
    dramAddress: dramAddressOf(schedule, layout, id),
    bytes: sizeBytes(tensor),
    frameStrideBytes: layout.frameStrideBytes.get(root) ?? 0,
    dtype: tensor.dtype,
    shape: [...tensor.shape],
    ...(tensor.outsideAxes === undefined ? {} : { outsideAxes: [...tensor.outsideAxes] }),
    ...(tensor.outsideShape === undefined ? {} : { outsideShape: [...tensor.outsideShape] }),
    ...(sramAddress < 0 ? {} : { sramAddress }),
    ...(quant === undefined ? {} : { quant: { scale: quant.scales[0] ?? 1, zeroPoint: quant.zeroPoint } }),
  };
}
