import { assemble } from '../src/commands/assemble.js';
import { encodeStream } from '../src/commands/encode.js';
import { type Manifest, sealManifest, sha256Hex } from '../src/commands/manifest.js';
import { type LoadedProgram, loadProgram } from '../src/simulator/load-program.js';
import { type SimulationOptions, type SimulationResult, simulate } from '../src/simulator/simulate.js';

/**
 * A machine for hand-written programs. DRAM: constants in [0, image), an activation region `work` of 4096 B at 0x10000,
 * the input at 0x20000, the output at 0x30000.
 */
export const WORK = 0x10000;
export const INPUT = 0x20000;
export const OUTPUT = 0x30000;

export interface Bench {
  readonly prologue?: string;
  readonly period: string;
  readonly image?: Uint8Array;
  readonly sramBytes?: number;
  readonly fifoBytes?: number;
  readonly dtype?: 'int8' | 'float32';
  readonly inputShape?: readonly number[];
  readonly outputShape?: readonly number[];
  readonly outsideAxes?: readonly number[];
  readonly batch?: number;
  readonly quant?: { readonly scale: number; readonly zeroPoint: number };
}

export function manifestFor(bench: Bench, program: Uint8Array, image: Uint8Array): Manifest {
  const dtype = bench.dtype ?? 'int8';
  const port = (name: string, dramAddress: number, shape: readonly number[]) => {
    const bytes = shape.reduce((a, b) => a * b, 1) * (dtype === 'int8' ? 1 : 4);
    return { name, dramAddress, bytes, frameStrideBytes: bytes, dtype, shape: [...shape] };
  };
  const axes = bench.outsideAxes === undefined ? {} : { outsideAxes: [...bench.outsideAxes] };
  const quant = bench.quant === undefined ? {} : { quant: bench.quant };
  const input = { ...port('x', INPUT, bench.inputShape ?? [16]), ...axes, ...quant };
  const output = { ...port('y', OUTPUT, bench.outputShape ?? [16]), ...axes };
  return sealManifest({
    schema: 'spillway-manifest/1',
    model: 'bench',
    dtype,
    versions: { spillway: '0' },
    chip: {
      name: 'bench-chip',
      clockHz: 1000,
      sram: { bytes: bench.sramBytes ?? 4096, bytesPerCycle: 16 },
      dram: { bytes: 2 ** 20, bytesPerSecond: 4000, burstBytes: 8, latencyCycles: 10 },
      dma: { channels: 2, setupCycles: 5 },
      mac: { rows: 4, columns: 4 },
      vector: { lanes: 4 },
      commandFifoBytes: bench.fifoBytes ?? 4096,
    },
    sramBytes: bench.sramBytes ?? 4096,
    dramBytes: 0x50000,
    batch: bench.batch ?? 1,
    inputs: [input],
    outputs: [output],
    regions: [
      { name: 'constants', class: 'weights', dramAddress: 0, bytes: image.length },
      { name: 'work', class: 'activations', dramAddress: WORK, bytes: 4096 },
      { name: 'x', class: 'input', dramAddress: INPUT, bytes: 0x8000 },
      { name: 'y', class: 'output', dramAddress: OUTPUT, bytes: 0x8000 },
      { name: 'code', class: 'code', dramAddress: 0x40000, bytes: program.length },
    ],
    code: { dramAddress: 0x40000, bytes: program.length },
    hashes: { 'program.bin': sha256Hex(program), 'dram.bin': sha256Hex(image) },
  });
}

export function build(bench: Bench): { program: Uint8Array; image: Uint8Array; manifest: Manifest } {
  const text = `${bench.prologue ?? ''}\nendPrologue\n${bench.period}\nendPeriod\n`;
  const program = encodeStream(assemble(text));
  const image = bench.image ?? new Uint8Array(0);
  return { program, image, manifest: manifestFor(bench, program, image) };
}

export function load(bench: Bench): LoadedProgram {
  const { program, image, manifest } = build(bench);
  return loadProgram(manifest, program, image, 'bench');
}

export function run(bench: Bench, options: SimulationOptions = {}): SimulationResult {
  return simulate(load(bench), options);
}

/** Kinds and command indexes of the faults: `race 3`. */
export function faultsOf(bench: Bench, options: SimulationOptions = {}): string[] {
  return run(bench, options).faults.map((fault) => `${fault.kind} ${fault.command}`);
}
