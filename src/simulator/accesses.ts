import type { Manifest, ManifestRegion, TrafficClass } from '../commands/manifest.js';
import type { FaultLog } from './faults.js';
import { lengthOf, type Range, type View } from './geometry.js';
import { COMPUTE, EVENT_HOST, EVENT_IMAGE, type Execution, Judge, LOAD, STORE } from './judge.js';
import type { Observer } from './observer.js';
import type { Operand, Place } from './operand.js';
import type { CodeLine } from './sequencer.js';
import { ShadowMemory } from './shadow-memory.js';
import { stripeRuns } from './stripe-ring.js';

export interface Traffic {
  readBytes: number;
  writeBytes: number;
  /** Whole bursts that hold the bytes of each run; one that the run before of the same command ended in is there already. */
  bursts: number;
  /** DRAM pages that were opened for them: one when a run begins in another page than the one before, and every further one. */
  pages: number;
  readonly byClass: Record<TrafficClass, number>;
}

export function noTraffic(): Traffic {
  return {
    readBytes: 0,
    writeBytes: 0,
    bursts: 0,
    pages: 0,
    byClass: { weights: 0, activations: 0, input: 0, output: 0, code: 0 },
  };
}

/** Reads of at least so many bytes, of weights as a rule, are looked at once as long as they stay the same. */
const LONG_READ_BYTES = 512;

/**
 * Both memories as far as their contents are not concerned: which bytes a command touches, whether it may, and how many
 * of them cross the DRAM interface.
 */
export class Accesses {
  private readonly sram: ShadowMemory;
  private readonly dram: ShadowMemory;
  private readonly sramJudge: Judge;
  private readonly dramJudge: Judge;
  private readonly regions: readonly ManifestRegion[];
  private region: ManifestRegion | undefined;
  private execution: Execution | undefined;
  /** Where in DRAM the current command has loaded from. */
  private source: ManifestRegion | undefined;
  traffic = noTraffic();
  /** The current command touched what does not exist: its data must not be moved. */
  isUnsafe = false;
  /** Runs of the rectangle at hand, in a ring of stripes. */
  private readonly stripeRuns: number[] = [];
  /** SRAM bytes that the current command touches; those of the MAC array's streams are not among them. */
  portBytes = 0;
  private lastPage = -1;
  private lastBurst = -1;
  /** Starts and ends of the DRAM runs of the current command, while somebody watches. */
  runs: number[] = [];
  observer: Observer | undefined;
  /** When the current command begins; for the observer. */
  private now = 0;

  constructor(
    private readonly manifest: Manifest,
    imageBytes: number,
    private readonly log: FaultLog,
    history: readonly [CodeLine[], CodeLine[], CodeLine[]],
  ) {
    this.regions = manifest.regions.filter((region) => region.bytes > 0).sort((a, b) => a.dramAddress - b.dramAddress);
    const regionName = (address: number) => this.regionAt(address)?.name;
    this.sram = new ShadowMemory(manifest.sramBytes);
    this.dram = new ShadowMemory(manifest.dramBytes);
    this.sramJudge = new Judge('SRAM', log, history, COMPUTE, STORE, regionName);
    this.dramJudge = new Judge('DRAM', log, history, LOAD, STORE, regionName);
    for (const region of this.regions) {
      const end = Math.min(region.dramAddress + region.bytes, imageBytes);
      if (end > region.dramAddress) this.dram.set(region.dramAddress, end, EVENT_IMAGE);
    }
  }

  /** What the host writes into DRAM. */
  hostWrites(start: number, bytes: number): void {
    this.dram.set(start, start + bytes, EVENT_HOST);
  }

  /** Whether the program, not only the host, has written all these bytes of DRAM. */
  isWrittenByProgram(start: number, bytes: number): boolean {
    let isWritten = true;
    const look = (event: number) => {
      if (event === 0 || event === EVENT_HOST || event === EVENT_IMAGE) isWritten = false;
    };
    this.dram.read(start, start + bytes, 0, false, { sawWriter: look, overwrites() {}, overwritesRead() {} });
    return isWritten;
  }

  begin(execution: Execution, now: number): void {
    this.now = now;
    if (this.observer !== undefined) this.runs = [];
    this.lastBurst = -1;
    this.execution = execution;
    this.source = undefined;
    this.isUnsafe = false;
    this.portBytes = 0;
    this.lastPage = -1;
    this.sramJudge.begin(execution);
    this.dramJudge.begin(execution);
  }

  illegal(message: string): void {
    this.isUnsafe = true;
    this.sramJudge.visit(undefined, 0);
    this.sramJudge.fault('illegal', 0, message);
  }

  /** A rectangle of an SRAM image; `bytes` is the range within a pixel. */
  sramImage(operand: Operand, view: View, rows: Range, cols: Range, bytes: Range, isWrite: boolean): void {
    const pixels = lengthOf(cols);
    if (lengthOf(rows) === 0 || pixels === 0 || lengthOf(bytes) === 0) return;
    if (view.stripes !== undefined) {
      this.sramStripes(operand, view, rows, cols, bytes, isWrite);
      return;
    }
    const { ring, rowPitch, pixelPitch } = view;
    const place = operand.placeIn(ring, pixelPitch, operand.isMoving || ring > 0);
    const isDense = pixels === 1 || lengthOf(bytes) === pixelPitch;
    const runBytes = (pixels - 1) * pixelPitch + lengthOf(bytes);
    // Rows that follow each other without a gap are one run.
    const together = isDense && ring === 0 && runBytes === rowPitch ? lengthOf(rows) : 1;
    // After an access that cannot be, the others would only say the same.
    for (let row = rows.lo; row < rows.hi && !this.isUnsafe; row += together) {
      const address = view.base + (ring === 0 ? row : row % ring) * rowPitch;
      const origin = address - row * rowPitch;
      const start = address + cols.lo * pixelPitch + bytes.lo;
      if (isDense) this.sramRun(place, origin, start, start + (together - 1) * rowPitch + runBytes, isWrite);
      else {
        for (let pixel = 0; pixel < pixels; pixel++) {
          const from = start + pixel * pixelPitch;
          this.sramRun(place, origin, from, from + lengthOf(bytes), isWrite);
        }
      }
    }
  }

  /** The same in a rolling buffer of stripes, whose pixels lie where the order of making them says. */
  private sramStripes(operand: Operand, view: View, rows: Range, cols: Range, bytes: Range, isWrite: boolean): void {
    const { stripes: ring, pixelPitch, base } = view;
    if (ring === undefined) return;
    const width = lengthOf(bytes);
    const place = operand.placeIn(ring.height, pixelPitch, true);
    const found = stripeRuns(ring, rows, cols, this.stripeRuns);
    const [first, pixels, round] = [0, 1, 2] as const;
    for (let i = 0; i < found; i += 3) {
      const count = this.stripeRuns[i + pixels] ?? 0;
      // Pixels that take each other's place were made in different rounds of the ring.
      const origin = base - (this.stripeRuns[i + round] ?? 0) * pixelPitch;
      const start = base + (this.stripeRuns[i + first] ?? 0) * pixelPitch + bytes.lo;
      if (width === pixelPitch) {
        if (!this.isUnsafe) this.sramRun(place, origin, start, start + count * pixelPitch, isWrite);
      } else {
        for (let run = 0; run < count && !this.isUnsafe; run++) {
          const from = start + run * pixelPitch;
          this.sramRun(place, origin, from, from + width, isWrite);
        }
      }
    }
  }

  /** [start, end) of SRAM; `origin` is where byte 0 of the region would be. */
  sramBytes(operand: Operand, start: number, end: number, origin: number, isWrite: boolean): void {
    if (end <= start) return;
    this.sramRun(operand.placeIn(0, 1, operand.isMoving), origin, start, end, isWrite);
  }

  private sramRun(place: Place, origin: number, start: number, end: number, isWrite: boolean): void {
    const { execution, sramJudge } = this;
    const { operand } = place;
    if (execution === undefined) throw new Error('no command is being executed');
    sramJudge.visit(place, origin);
    if (start < 0 || end > this.sram.bytes) {
      this.isUnsafe = true;
      const message = `${operand.name} covers [${start}, ${end}) of an SRAM of ${this.sram.bytes} B`;
      sramJudge.fault('out-of-range', start, message);
      return;
    }
    if (start % operand.alignBytes !== 0) {
      this.isUnsafe = true;
      sramJudge.fault('misaligned', start, `${operand.name} is not at a multiple of ${operand.alignBytes} B`);
    }
    this.observer?.touched?.(start, end, isWrite, this.now);
    if (operand.stream === undefined) this.portBytes += end - start;
    if (isWrite) this.sram.write(start, end, sramJudge.eventForWrite(this.source), sramJudge);
    else if (operand.isInPlace) this.sram.read(start, end, 0, execution.queue === STORE, sramJudge);
    else if (end - start < LONG_READ_BYTES) {
      this.sram.read(start, end, execution.sequence, execution.queue === STORE, sramJudge);
    } else this.longRead(execution, operand, origin, start, end);
  }

  /**
   * A run that the same command read before, as the same: who wrote it was found to be in order, and stays so for all that
   * comes later in the queue.
   */
  private longRead({ queue, sequence }: Execution, operand: Operand, origin: number, start: number, end: number): void {
    const isQueueB = queue === STORE;
    const before = operand.longRead;
    const isSame = before?.origin === origin && before.read.start === start && before.read.end === end;
    if (before !== undefined && isSame && before.read.isStanding) {
      before.read.reader = sequence;
      return;
    }
    if (before !== undefined) this.sram.settle(before.read);
    const faults = this.log.count;
    this.sram.read(start, end, sequence, isQueueB, this.sramJudge);
    operand.longRead = undefined;
    if (this.log.count > faults) return;
    const read = { start, end, isQueueB, reader: sequence, isStanding: false };
    // Of what moves on, the next read is another one.
    if (isSame) this.sram.letStand(read);
    operand.longRead = { read, origin };
  }

  /** A rectangle of a DRAM image, counted as traffic. Pixels and rows without a gap make one run. */
  dramImage(base: number, rowPitch: number, pixelPitch: number, rows: Range, cols: Range, pixelBytes: number): void {
    const pixels = lengthOf(cols);
    if (lengthOf(rows) === 0 || pixels === 0 || pixelBytes === 0) return;
    const isDense = pixels === 1 || pixelBytes === pixelPitch;
    const runBytes = (pixels - 1) * pixelPitch + pixelBytes;
    const together = isDense && runBytes === rowPitch ? lengthOf(rows) : 1;
    for (let row = rows.lo; row < rows.hi && !this.isUnsafe; row += together) {
      const start = base + row * rowPitch + cols.lo * pixelPitch;
      if (isDense) this.dramBytes(start, start + (together - 1) * rowPitch + runBytes);
      else
        for (let pixel = 0; pixel < pixels; pixel++)
          this.dramBytes(start + pixel * pixelPitch, start + pixel * pixelPitch + pixelBytes);
    }
  }

  /** [start, end) of DRAM, read by a command of the load queue or written by one of the store queue. */
  dramBytes(start: number, end: number): void {
    const { execution } = this;
    if (execution === undefined) throw new Error('no command is being executed');
    if (end <= start) return;
    const isWrite = execution.queue === STORE;
    this.dramJudge.visit(undefined, 0);
    this.countBursts(start, end);
    if (isWrite) this.traffic.writeBytes += end - start;
    else this.traffic.readBytes += end - start;
    for (let from = start; from < end; ) {
      const region = this.regionAt(from);
      const problem = region === undefined ? 'DRAM that belongs to nothing' : misuse(region, isWrite);
      if (region === undefined || problem !== undefined) {
        this.isUnsafe = true;
        this.dramJudge.fault('out-of-range', from, `[${start}, ${end}): ${isWrite ? 'writes' : 'reads'} ${problem}`);
        return;
      }
      const to = Math.min(end, region.dramAddress + region.bytes);
      this.traffic.byClass[region.class] += to - from;
      this.source = region;
      from = to;
    }
    if (isWrite) this.dram.write(start, end, this.dramJudge.eventForWrite(undefined), this.dramJudge);
    else this.dram.read(start, end, execution.sequence, false, this.dramJudge);
  }

  /** Some `count` entries of the table in [start, end) of DRAM, read by a command of the load queue. */
  dramEntries(start: number, end: number, entryBytes: number, count: number): void {
    const { execution } = this;
    if (execution === undefined) throw new Error('no command is being executed');
    this.dramJudge.visit(undefined, 0);
    const region = this.regionAt(start);
    const isInside = region !== undefined && end <= region.dramAddress + region.bytes;
    const problem = region === undefined || !isInside ? 'DRAM that belongs to nothing' : misuse(region, false);
    if (region === undefined || problem !== undefined) {
      this.isUnsafe = true;
      this.dramJudge.fault('out-of-range', start, `[${start}, ${end}): reads ${problem}`);
      return;
    }
    const { burstBytes, pageBytes = Number.POSITIVE_INFINITY } = this.manifest.chip.dram;
    this.traffic.bursts += Math.ceil(entryBytes / burstBytes) * count;
    this.traffic.pages += Math.max(1, Math.ceil(entryBytes / pageBytes)) * count;
    if (this.observer !== undefined) {
      // Which entries they are is a matter of the data: as many bursts as they need, from the beginning of the table.
      const bursts = Math.ceil(entryBytes / burstBytes) * count;
      const base = Math.floor(start / burstBytes) * burstBytes;
      this.runs.push(base, base + bursts * burstBytes);
    }
    this.traffic.readBytes += entryBytes * count;
    this.traffic.byClass[region.class] += entryBytes * count;
    this.source = region;
    this.dram.read(start, end, execution.sequence, false, this.dramJudge);
  }

  private countBursts(start: number, end: number): void {
    const { burstBytes, pageBytes = Number.POSITIVE_INFINITY } = this.manifest.chip.dram;
    const [firstBurst, lastBurst] = [Math.floor(start / burstBytes), Math.floor((end - 1) / burstBytes)];
    this.traffic.bursts += lastBurst - firstBurst + (firstBurst === this.lastBurst ? 0 : 1);
    this.lastBurst = lastBurst;
    if (this.observer !== undefined) this.runs.push(start, end);
    const first = Math.floor(start / pageBytes);
    const last = Math.floor((end - 1) / pageBytes);
    this.traffic.pages += last - first + (first === this.lastPage ? 0 : 1);
    this.lastPage = last;
  }

  private regionAt(address: number): ManifestRegion | undefined {
    const cached = this.region;
    if (cached !== undefined && address >= cached.dramAddress && address < cached.dramAddress + cached.bytes)
      return cached;
    let lo = 0;
    let hi = this.regions.length;
    while (lo < hi) {
      const middle = (lo + hi) >> 1;
      if ((this.regions[middle]?.dramAddress ?? 0) <= address) lo = middle + 1;
      else hi = middle;
    }
    const found = this.regions[lo - 1];
    this.region = found !== undefined && address < found.dramAddress + found.bytes ? found : undefined;
    return this.region;
  }
}

/** Constants, code and the model's inputs are not for commands to write, the code not for them to read. */
function misuse(region: ManifestRegion, isWrite: boolean): string | undefined {
  if (region.class === 'code') return `the code (${region.name})`;
  if (isWrite && (region.class === 'weights' || region.class === 'input')) return `${region.class} (${region.name})`;
  return undefined;
}
