import { SpillwayError } from '../base/diagnostic.js';
import {
  type Manifest,
  type ManifestPort,
  type PortDType,
  sha256Hex,
  type TrafficClass,
} from '../commands/manifest.js';
import { Accesses, noTraffic } from './accesses.js';
import { type Fault, FaultLog } from './faults.js';
import { runCommand } from './kernels/run-command.js';
import type { LoadedProgram } from './load-program.js';
import { Machine, type SectionResult, type Watch } from './machine.js';
import { type Kernels, type Memory, makeMemory } from './memory.js';
import type { Observer } from './observer.js';
import {
  ELEMENT_BYTES,
  type GivenData,
  givenFrames,
  outsideShape,
  type PortData,
  seededFrame,
  toOutside,
  typedData,
} from './ports.js';
import { type CodeLine, codeLines, type Fields } from './sequencer.js';

export interface SimulationOptions {
  /** By input name, in outside order; one frame, or all frames of the batch one after the other. */
  readonly inputs?: ReadonlyMap<string, GivenData>;
  /** For the inputs that are not given; 1 when absent. */
  readonly seed?: number;
  /** No data is moved or computed; traffic, order, shadow memory and time are as always. */
  readonly timingOnly?: boolean;
  /** simd when absent. Both compute the same bits. */
  readonly kernels?: Kernels;
  /** How many periods are run; traffic and time are those of the first, outputs those of the last. */
  readonly periods?: number;
  /** Every period has frames of its own: seeded inputs go on, and of given ones there may be enough for all. */
  readonly goesOn?: boolean;
  /** Told the outputs of each period, from 0. */
  readonly onPeriod?: (period: number, outputs: readonly SimulatedOutput[]) => void;
  /** Is told what happens in the first period, and before it in the prologue where `observed` says so. */
  readonly observer?: Observer;
  /** period when absent. */
  readonly observed?: ObservedSections;
}

export type ObservedSections = 'prologue' | 'period' | 'both';

export interface SimulatedOutput {
  readonly name: string;
  readonly dtype: PortDType;
  /** As the outside sees it; of a batch, the first axis holds the frames one after the other. */
  readonly shape: readonly number[];
  readonly data: PortData;
  /** The frames in storage order, one array each. */
  readonly storageFrames: readonly PortData[];
  readonly sha256: string; // of the bytes of `data`
}

export interface SimulationResult {
  readonly outputs: readonly SimulatedOutput[]; // none when timing-only
  /** Of one period, code included. */
  readonly dramReadBytes: number;
  readonly dramWriteBytes: number;
  /** Of a period's transfers: the requests that they make, code not included. */
  readonly dramBursts: number;
  readonly bytesByClass: Readonly<Record<TrafficClass, number>>;
  /** Code included, file header too. */
  readonly prologueReadBytes: number;
  readonly prologueWriteBytes: number;
  readonly prologueCycles: number;
  readonly prologueTimeline: SectionResult['timeline'];
  /** Of one period. */
  readonly cycles: number;
  readonly seconds: number;
  readonly macs: number;
  readonly macUtilization: number;
  readonly dramUtilization: number;
  readonly busyCycles: SectionResult['busyCycles'];
  readonly timeline: SectionResult['timeline']; // of the period
  readonly commands: number;
  readonly faults: readonly Fault[]; // the first hundred
  readonly faultCount: number;
}

/**
 * Runs the prologue once, then the periods.
 * @throws SpillwayError SW5002, SW5003 when the given inputs do not fit the program
 */
export function simulate(loaded: LoadedProgram, options: SimulationOptions = {}): SimulationResult {
  const { manifest, program, dramImage } = loaded;
  const log = new FaultLog();
  const history: [CodeLine[], CodeLine[], CodeLine[]] = [[], [], []];
  const accesses = new Accesses(manifest, dramImage.length, log, history);
  const memory =
    options.timingOnly === true
      ? undefined
      : makeMemory(manifest.sramBytes, manifest.dramBytes, dramImage, options.kernels ?? 'simd');
  const machine = new Machine(manifest.chip, accesses, log, history, memory && mover(memory));
  const periods = Math.max(1, options.periods ?? 1);
  const frames = inputFrames(manifest, options, memory !== undefined, options.goesOn === true ? periods : 1);
  putStates(manifest, options, accesses, memory);

  const prologueLines = codeLines('prologue', program.prologue, 0);
  const periodLines = codeLines('period', program.period, prologueLines.length);
  const headerBytes = program.prologueBytes - prologueLines.reduce((sum, line) => sum + line.bytes, 0);
  const { observer, observed = 'period' } = options;
  const codeBase = manifest.code.dramAddress;
  const ofPrologue = observed === 'period' || observer === undefined ? undefined : observer;
  ofPrologue?.begins?.('prologue', 0);
  ofPrologue?.fetched?.(codeBase, codeBase + headerBytes, 0);
  const prologue = machine.run('prologue', prologueLines, watchOf(ofPrologue, codeBase + headerBytes));
  const prologueTraffic = accesses.traffic;

  accesses.traffic = noTraffic();
  let period: SectionResult | undefined;
  let traffic = accesses.traffic;
  for (let index = 0; index < periods; index++) {
    if (log.count > 0 && index > 0) break;
    accesses.traffic = noTraffic();
    putInputs(manifest, accesses, memory, frames, options.goesOn === true ? index * manifest.batch : 0);
    const ofPeriod = index > 0 || observed === 'prologue' ? undefined : observer;
    ofPeriod?.begins?.('period', ofPrologue === undefined ? 0 : prologue.cycles);
    const result = machine.run('period', periodLines, watchOf(ofPeriod, codeBase + program.prologueBytes));
    period ??= result;
    if (index === 0) traffic = accesses.traffic;
    if (memory !== undefined && options.onPeriod !== undefined) {
      options.onPeriod(
        index,
        manifest.outputs.map((port) => output(manifest, port, memory)),
      );
    }
  }
  if (period === undefined) throw new Error('no period was run');
  checkOutputsWritten(manifest, accesses, log, periodLines);

  const { chip } = manifest;
  return {
    outputs: memory === undefined ? [] : manifest.outputs.map((port) => output(manifest, port, memory)),
    dramReadBytes: traffic.readBytes + period.codeBytes,
    dramWriteBytes: traffic.writeBytes,
    dramBursts: traffic.bursts,
    bytesByClass: { ...traffic.byClass, code: traffic.byClass.code + period.codeBytes },
    prologueReadBytes: prologueTraffic.readBytes + headerBytes + prologue.codeBytes,
    prologueWriteBytes: prologueTraffic.writeBytes,
    prologueCycles: prologue.cycles,
    prologueTimeline: prologue.timeline,
    cycles: period.cycles,
    seconds: period.cycles / chip.clockHz,
    macs: period.macs,
    macUtilization: share(period.macs, period.cycles * chip.mac.rows * chip.mac.columns),
    dramUtilization: share(period.busyCycles.dram, period.cycles),
    busyCycles: period.busyCycles,
    timeline: period.timeline,
    commands: period.commands,
    faults: log.kept,
    faultCount: log.count,
  };
}

function watchOf(observer: Observer | undefined, codeAddress: number): Watch | undefined {
  return observer === undefined ? undefined : { observer, codeAddress };
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.min(1, part / whole);
}

function mover(memory: Memory): (line: CodeLine, fields: Fields) => void {
  return (line, fields) => runCommand(memory, line.instruction.name, fields);
}

/** Per input, its frames in storage order; checked also when no data is moved. None for states. */
function inputFrames(manifest: Manifest, options: SimulationOptions, withData: boolean, periods: number): PortData[][] {
  const count = manifest.batch * periods;
  for (const name of options.inputs?.keys() ?? []) {
    if (manifest.inputs.some((port) => port.name === name)) continue;
    const names = manifest.inputs.map((port) => port.name).join(', ');
    const message = `the model has no input '${name}'; its inputs are: ${names}`;
    throw new SpillwayError([{ code: 'SW5003', blame: 'input', message, loc: { file: 'simulate' } }]);
  }
  return manifest.inputs.map((port, index) => {
    if (port.stateOf !== undefined) return [];
    const given = options.inputs?.get(port.name);
    if (given !== undefined) return givenFrames(port, given, count);
    if (!withData) return [];
    return Array.from({ length: count }, (_, frame) =>
      seededFrame(port, options.seed ?? 1, frame * manifest.inputs.length + index),
    );
  });
}

/** First values that the user gives to states; without them they begin with what dram.bin holds. */
function putStates(
  manifest: Manifest,
  options: SimulationOptions,
  accesses: Accesses,
  memory: Memory | undefined,
): void {
  for (const port of manifest.inputs) {
    const given = port.stateOf === undefined ? undefined : options.inputs?.get(port.name);
    const [data] = given === undefined ? [] : givenFrames(port, given, 1);
    if (data === undefined) continue;
    accesses.hostWrites(port.dramAddress, port.bytes);
    memory?.dram.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), port.dramAddress);
  }
}

function putInputs(
  manifest: Manifest,
  accesses: Accesses,
  memory: Memory | undefined,
  frames: readonly (readonly PortData[])[],
  first: number,
): void {
  manifest.inputs.forEach((port, index) => {
    if (port.stateOf !== undefined) return;
    for (let frame = 0; frame < manifest.batch; frame++) {
      const start = port.dramAddress + frame * port.frameStrideBytes;
      accesses.hostWrites(start, port.bytes);
      const data = frames[index]?.[first + frame];
      if (memory === undefined || data === undefined) continue;
      memory.dram.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start);
    }
  });
}

function checkOutputsWritten(manifest: Manifest, accesses: Accesses, log: FaultLog, lines: readonly CodeLine[]): void {
  if (log.isFull) return;
  for (const port of manifest.outputs) {
    if (port.sramAddress !== undefined) continue; // written by the prologue in any case
    for (let frame = 0; frame < manifest.batch; frame++) {
      const address = port.dramAddress + frame * port.frameStrideBytes;
      if (accesses.isWrittenByProgram(address, port.bytes)) continue;
      const message = `the period ends, but output ${port.name} (frame ${frame}) is not written completely`;
      const where = { section: 'period', command: lines.length - 1, queue: 'processor', op: 'endPeriod' } as const;
      log.add({ kind: 'unwritten', ...where, message, memory: 'DRAM', address, region: port.name });
    }
  }
}

function output(manifest: Manifest, port: ManifestPort, memory: Memory): SimulatedOutput {
  const storageFrames = Array.from({ length: manifest.batch }, (_, frame) => {
    const start = port.sramAddress ?? port.dramAddress + frame * port.frameStrideBytes;
    const bytes = (port.sramAddress === undefined ? memory.dram : memory.bytes).slice(start, start + port.bytes);
    return typedData(port.dtype, bytes.buffer);
  });
  const [first = 1, ...rest] = outsideShape(port);
  const elements = port.shape.reduce((a, b) => a * b, 1);
  const length = elements * manifest.batch;
  const data = typedData(port.dtype, new ArrayBuffer(length * ELEMENT_BYTES[port.dtype]));
  storageFrames.forEach((frame, index) => {
    data.set(toOutside(port, frame), index * elements);
  });
  const sha256 = sha256Hex(new Uint8Array(data.buffer));
  const shape = outsideShape(port).length === 0 ? [] : [first * manifest.batch, ...rest];
  return { name: port.name, dtype: port.dtype, shape, data, storageFrames, sha256 };
}
