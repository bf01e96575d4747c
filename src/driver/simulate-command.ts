/** `spillway simulate`: executes what compile wrote, and holds its outputs against the reference interpreter. */
import type { Command } from 'commander';
import type { DramTraceFormat } from '../simulator/dram-trace.js';
import type { ObservedSections, SimulationResult } from '../simulator/simulate.js';
import { addPair, integerFrom, oneOf, usageError } from './command-options.js';
import { periodsOf } from './periods.js';
import type { RunningReference } from './reference-thread.js';
import type { DramTraceSummary, TracedRequests, TraceFiles } from './trace-files.js';

interface Flags {
  readonly seed?: number;
  readonly input?: ReadonlyMap<string, string>;
  readonly saveOutputs?: string;
  readonly timingOnly?: true;
  readonly frames?: number;
  readonly trace?: string;
  readonly dramTrace?: string;
  readonly dramFormat?: DramTraceFormat;
  readonly traceSections?: ObservedSections;
  readonly kernels?: 'plain' | 'simd';
  readonly json?: true;
}

/** The document that --json prints. */
export interface SimulationReport {
  readonly schema: 'spillway-simulation/1';
  readonly directory: string;
  readonly model: string;
  readonly target: string;
  readonly batch: number;
  readonly periods: number; // bytes and times are of the first, outputs of the last
  readonly dramReadBytes: number;
  readonly dramWriteBytes: number;
  readonly totalBytes: number;
  readonly byClass: SimulationResult['bytesByClass'];
  readonly prologueReadBytes: number;
  readonly cycles: number;
  readonly seconds: number;
  readonly framesPerSecond: number;
  readonly macUtilization: number;
  readonly dramUtilization: number;
  readonly faultCount: number;
  readonly faults: SimulationResult['faults'];
  readonly outputs: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly dtype: string;
    readonly sha256: string;
  }[];
  /** In time, as SimulationResult has it. */
  readonly timeline: SimulationResult['timeline'];
  readonly busyCycles: SimulationResult['busyCycles'];
  /** What --dram-trace wrote. */
  readonly dramTrace?: DramTraceSummary;
  /** Null when no data was computed, or there is no graph to compare with. */
  readonly matchesReference: boolean | null;
}

const EXAMPLES = `
Reads program.bin, dram.bin and manifest.json of DIR. Where graph.ir and graph.bin lie beside them, the reference
interpreter runs the imported graph on the same inputs, and the outputs must be equal bit for bit.
Where report.html lies beside them, it shows the simulated time from then on.
A fault (an unwritten, stale or unordered access, an address out of range ...) ends with exit code 1.

Examples:
  spillway simulate out/resnet50-chip-a
  spillway simulate out/resnet50-chip-a --input image=cat.npy --save-outputs out/cat
  spillway simulate out/keyword-chip-a --frames 50 --input audio=50-frames.npy
  spillway simulate out/yolov3-chip-a --timing-only --json
  spillway simulate out/resnet50-chip-a --timing-only --trace resnet50.json --dram-trace resnet50.trc
`;

export function registerSimulate(program: Command): void {
  program
    .command('simulate')
    .summary('execute a compiled directory')
    .description('Executes the command stream, counts every DRAM byte, and checks every access.')
    .argument('<dir>', 'a directory that compile wrote')
    .option('--seed <n>', 'of the inputs that are not given (default: 1)', integerFrom('--seed', 0, 2 ** 32 - 1))
    .option('--input <name=file.npy>', 'data of a model input; repeatable', addPair('--input'))
    .option(
      '--frames <n>',
      'run so many frames, period after period; states go from frame to frame (default: one period)',
      integerFrom('--frames', 1, 1_000_000),
    )
    .option('--save-outputs <dir>', 'write each output as <name>.npy')
    .option('--timing-only', 'move and compute no data; traffic, faults and time are as always')
    .option(
      '--kernels <which>',
      'simd: vector instructions where there are some; plain: none of them, the same bits (default: simd)',
      oneOf('--kernels', ['plain', 'simd']),
    )
    .option('--trace <file>', 'write a Chrome trace of the run, for Perfetto (ui.perfetto.dev)')
    .option('--dram-trace <file>', 'write the DRAM requests of the run, one per burst')
    .option(
      '--dram-format <format>',
      'of --dram-trace: dramsim3 or ramulator2 (default: dramsim3)',
      oneOf('--dram-format', ['dramsim3', 'ramulator2']),
    )
    .option(
      '--trace-sections <which>',
      'of the program in both traces: period, prologue or both (default: period)',
      oneOf('--trace-sections', ['period', 'prologue', 'both']),
    )
    .option('--json', 'print one JSON document, and nothing else, on stdout')
    .addHelpText('after', EXAMPLES)
    .action(async (directory: string, flags: Flags) => {
      if (flags.timingOnly && flags.saveOutputs !== undefined) {
        throw usageError('--timing-only computes no outputs that --save-outputs could write');
      }
      if (flags.dramFormat !== undefined && flags.dramTrace === undefined) {
        throw usageError('--dram-format says how --dram-trace is written; give --dram-trace FILE too');
      }
      if (flags.traceSections !== undefined && flags.trace === undefined && flags.dramTrace === undefined) {
        throw usageError('--trace-sections says what traces hold; give --trace FILE or --dram-trace FILE too');
      }
      const report = await runSimulation(directory, flags);
      process.stdout.write(flags.json ? `${JSON.stringify(report, null, 2)}\n` : format(report));
      for (const line of complaints(report)) process.stderr.write(`${line}\n`);
      if (report.faultCount > 0 || report.matchesReference === false) process.exitCode = 1;
    });
}

export async function runSimulation(directory: string, flags: Flags): Promise<SimulationReport> {
  const { loadProgramDirectory } = await import('../simulator/load-program.js');
  const { simulate } = await import('../simulator/simulate.js');
  const { startProgress } = await import('./progress.js');
  const { SimulatedFrames } = await import('./reference-check.js');
  const { startReference } = await import('./reference-thread.js');
  const progress = startProgress();
  let reference: RunningReference | undefined;
  let traces: TraceFiles | undefined;
  try {
    progress.stage('load');
    const loaded = loadProgramDirectory(directory);
    const { manifest } = loaded;
    const seed = flags.seed ?? 1;
    const inputs = await readInputs(flags.input);
    const { timingOnly = false, kernels = 'simd' } = flags;
    const periods = periodsOf(flags.frames ?? manifest.batch, manifest.batch);
    if (!timingOnly) reference = startReference({ directory, manifest, seed, inputs, periods });
    progress.stage('simulate');
    const simulated = new SimulatedFrames();
    const onPeriod = (_: number, outputs: SimulationResult['outputs']): void => simulated.add(outputs);
    const { TraceFiles: Files } = await import('./trace-files.js');
    traces = new Files(flags, manifest, directory);
    const { observer, observed } = traces;
    const watch = observer === undefined ? {} : { observer, observed };
    const result = simulate(loaded, { seed, inputs, timingOnly, kernels, periods, goesOn: true, onPeriod, ...watch });
    const dramTrace = traces.finish(result);
    traces = undefined;
    progress.stage('run the reference');
    const frames = await reference?.frames;
    const matchesReference = frames === undefined ? null : simulated.match(frames);
    if (result.faultCount === 0) {
      const { refreshPage } = await import('./refresh-page.js');
      const problem = refreshPage(directory, manifest, result);
      if (problem !== undefined) process.stderr.write(`${problem}\n`);
    }
    if (flags.saveOutputs !== undefined) await saveOutputs(flags.saveOutputs, result);
    return {
      schema: 'spillway-simulation/1',
      directory,
      model: manifest.model,
      target: manifest.chip.name,
      batch: manifest.batch,
      periods,
      dramReadBytes: result.dramReadBytes,
      dramWriteBytes: result.dramWriteBytes,
      totalBytes: result.dramReadBytes + result.dramWriteBytes,
      byClass: result.bytesByClass,
      prologueReadBytes: result.prologueReadBytes,
      cycles: Math.ceil(result.cycles),
      seconds: result.seconds,
      framesPerSecond: result.seconds === 0 ? 0 : manifest.batch / result.seconds,
      macUtilization: result.macUtilization,
      dramUtilization: result.dramUtilization,
      busyCycles: result.busyCycles,
      timeline: result.timeline,
      ...(dramTrace === undefined ? {} : { dramTrace }),
      faultCount: result.faultCount,
      faults: result.faults,
      outputs: result.outputs.map(({ name, shape, dtype, sha256 }) => ({ name, shape, dtype, sha256 })),
      matchesReference,
    };
  } finally {
    traces?.abandon();
    await reference?.abandon();
    progress.done();
  }
}

async function readInputs(files: Flags['input']) {
  const { readNpy } = await import('../simulator/npy.js');
  const { readInputFile } = await import('./read-file.js');
  const inputs = new Map<string, ReturnType<typeof readNpy>['data']>();
  for (const [name, file] of files ?? []) inputs.set(name, readNpy(readInputFile(file), file).data);
  return inputs;
}

async function saveOutputs(directory: string, result: SimulationResult): Promise<void> {
  const { writeNpy } = await import('../simulator/npy.js');
  const { writeFiles } = await import('./write-files.js');
  const files = new Map<string, Uint8Array>();
  for (const { name, shape, data } of result.outputs) {
    files.set(`${name.replace(/[^A-Za-z0-9_.-]/g, '_')}.npy`, writeNpy({ shape, data }));
  }
  writeFiles(directory, files);
}

function format(report: SimulationReport): string {
  const { byClass, batch } = report;
  const lines = [
    `${report.model} on ${report.target}, ${batch} frame${batch === 1 ? '' : 's'} a period`,
    `DRAM a period: ${report.dramReadBytes} B read, ${report.dramWriteBytes} B written, ${report.totalBytes} B together`,
    `  weights ${byClass.weights}, activations ${byClass.activations}, input ${byClass.input}, output ${byClass.output}, code ${byClass.code}`,
    `prologue: ${report.prologueReadBytes} B read`,
    `time: ${report.cycles} cycles, ${(report.seconds * 1e3).toFixed(3)} ms, ${report.framesPerSecond.toFixed(1)} frames/s; MACs busy ${(100 * report.macUtilization).toFixed(1)} %, DRAM ${(100 * report.dramUtilization).toFixed(1)} %`,
    ...(report.periods === 1 ? [] : [`${report.periods} periods were run; the outputs are those of the last`]),
    ...(report.dramTrace === undefined ? [] : traceLines(report.dramTrace)),
    `faults: ${report.faultCount === 0 ? 'none' : report.faultCount}`,
    ...report.outputs.map((out) => `output ${out.name}: ${out.dtype} ${out.shape.join('x')}, sha256 ${out.sha256}`),
  ];
  if (report.matchesReference !== null) {
    lines.push(
      report.matchesReference ? 'outputs equal the reference, bit for bit' : 'outputs DIFFER from the reference',
    );
  } else if (report.outputs.length > 0) {
    lines.push('no graph.ir and graph.bin beside the program: outputs were not compared');
  }
  return `${lines.join('\n')}\n`;
}

function traceLines({ file, format, burstBytes, prologue, period }: DramTraceSummary): string[] {
  const lineOf = (section: string, traced: TracedRequests | undefined): string[] => {
    if (traced === undefined) return [];
    const { requests, paddingBytes } = traced;
    const bytes = `${requests * burstBytes} B together, ${paddingBytes} B of them to fill bursts`;
    return [`${file} (${format}), ${section}: ${requests} requests of ${burstBytes} B, ${bytes}`];
  };
  return [...lineOf('prologue', prologue), ...lineOf('period', period)];
}

const SHOWN_FAULTS = 10;

/** For stderr: what makes the exit code 1. */
function complaints(report: SimulationReport): string[] {
  const lines = report.faults.slice(0, SHOWN_FAULTS).map((fault) => {
    const place = fault.address === undefined ? '' : ` at ${fault.memory} 0x${fault.address.toString(16)}`;
    const region = fault.region === undefined ? '' : ` (${fault.region})`;
    return `${report.directory}: SW5101 (input): ${fault.kind}, ${fault.section} command ${fault.command} (${fault.op}, ${fault.queue} queue)${place}${region}: ${fault.message}`;
  });
  if (report.faultCount > SHOWN_FAULTS) lines.push(`... and ${report.faultCount - lines.length} more faults`);
  if (report.matchesReference === false) {
    lines.push(`${report.directory}: SW5102 (input): the outputs differ from those of the reference interpreter`);
  }
  return lines;
}
