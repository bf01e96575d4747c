/**
 * What one transfer costs on the machine of docs/timing.md: its runs of DRAM bytes are gone through in their order, by their addresses,
 * for the bursts that they take and the pages that they open.
 *
 *   burst or page    |       |       |       |           a run needs those that it reaches into, but not again the one
 *   runs                 [a ]  [b ]  [c   ]              that the run before ended in: 1 + 1 + 1
 */
import type { Chip } from '../target/chip.js';
import type { CommandWork, FieldOf } from './command-work.js';

/** More runs than this are not gone through: their number is scaled up from the first ones. */
const MOST_RUNS = 8192;

const NOTHING: CommandWork = { cycles: 0, portBytes: 0 };

interface Dimension {
  readonly count: number;
  readonly strideBytes: number;
}

/** Runs of consecutive bytes, at every combination of the dimensions; the last one changes fastest. */
interface Runs {
  readonly start: number;
  readonly bytes: number; // of each
  readonly dimensions: readonly Dimension[];
}

interface Pieces {
  readonly bursts: number;
  readonly pages: number;
}

/** Transfers of the load and store queues. Most commands come again at addresses that mean the same for bursts and pages. */
export class Transfers {
  private readonly known = new Map<string, Pieces>();
  private readonly pageCycles: number; // from a page that is opened to the next
  private readonly burstCycles: number;

  constructor(private readonly chip: Chip) {
    const { dram, clockHz } = chip;
    this.pageCycles = Math.max(dram.activateCycles ?? 0, (dram.rowCycleCycles ?? 0) / (dram.banks ?? 1));
    this.burstCycles = (dram.burstBytes * clockHz) / dram.bytesPerSecond;
  }

  workOf(op: string, field: FieldOf): CommandWork {
    const { burstBytes, pageBytes = Number.POSITIVE_INFINITY } = this.chip.dram;
    if (op === 'gatherRows') {
      // Which entries of the table is a matter of the data: each one has bursts and pages of its own.
      const entries = clipped(field('row0'), field('rows'), field('imageH'));
      const bytes = field('entryBytes');
      const pages = Math.max(1, Math.ceil(bytes / pageBytes));
      return this.work({ bursts: entries * Math.ceil(bytes / burstBytes), pages: entries * pages }, entries * bytes);
    }
    const runs = runsOf(op, field);
    const count = runs.dimensions.reduce((n, dimension) => n * dimension.count, 1);
    return this.work(this.piecesOf(runs), count * runs.bytes);
  }

  private work({ bursts, pages }: Pieces, bytes: number): CommandWork {
    if (bytes <= 0) return NOTHING;
    return { cycles: Math.max(bursts * this.burstCycles, pages * this.pageCycles), portBytes: bytes };
  }

  private piecesOf(runs: Runs): Pieces {
    const { burstBytes, pageBytes = burstBytes } = this.chip.dram;
    const { start, bytes, dimensions } = runs;
    if (bytes <= 0 || dimensions.some(({ count }) => count <= 0)) return { bursts: 0, pages: 0 };
    // Bursts divide pages, as a rule; then it is the place in a page that matters.
    const place = pageBytes % burstBytes === 0 ? start % pageBytes : start;
    const shape = dimensions.map(({ count, strideBytes }) => `${count}*${strideBytes}`);
    const key = `${place} ${bytes} ${shape.join()}`;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const pieces = { bursts: piecesOf(runs, burstBytes), pages: piecesOf(runs, pageBytes) };
    this.known.set(key, pieces);
    return pieces;
  }
}

/** Aligned pieces of so many bytes that the runs need, one after the other. */
function piecesOf({ start, bytes, dimensions }: Runs, size: number): number {
  const counts = dimensions.map(({ count }) => count);
  let runs = counts.reduce((n, count) => n * count, 1);
  let scale = 1;
  for (let d = 0; runs > MOST_RUNS && d < counts.length; d++) {
    const count = counts[d] ?? 1;
    const kept = Math.max(1, Math.floor((count * MOST_RUNS) / runs));
    counts[d] = kept;
    scale *= count / kept;
    runs *= kept / count;
  }
  let pieces = 0;
  let last = -1;
  const visit = (at: number, d: number): void => {
    const dimension = dimensions[d];
    if (dimension !== undefined) {
      for (let i = 0; i < (counts[d] ?? 1); i++) visit(at + i * dimension.strideBytes, d + 1);
      return;
    }
    const end = Math.floor((at + bytes - 1) / size);
    const first = Math.floor(at / size);
    pieces += end - first + (first === last ? 0 : 1);
    last = end;
  };
  visit(start, 0);
  return pieces * scale;
}

/** Elements of [start, start + length) in [0, limit). */
function clipped(start: number, length: number, limit: number): number {
  return Math.max(0, Math.min(limit, start + length) - Math.max(0, start));
}

function runsOf(op: string, field: FieldOf): Runs {
  const base = field('dramBase');
  if (op === 'load' || op === 'store') {
    const start = Math.max(0, field('offset'));
    const bytes = Math.min(field('limit'), field('offset') + field('bytes')) - start;
    return { start: base + start, bytes, dimensions: [] };
  }
  if (op === 'loadRows' || op === 'storeRows') {
    const [rowPitch, pixelPitch] = [field('dramRowPitch'), field('dramPixelPitch')];
    return joined(
      base + Math.max(0, field('row0')) * rowPitch + Math.max(0, field('col0')) * pixelPitch,
      field('pixelBytes'),
      [
        { count: clipped(field('row0'), field('rows'), field('imageH')), strideBytes: rowPitch },
        { count: clipped(field('col0'), field('cols'), field('imageW')), strideBytes: pixelPitch },
      ],
    );
  }
  const dimensions = [0, 1, 2, 3].map((d) => ({
    count: Math.max(1, field(`count${d}`)),
    strideBytes: field(`dramStride${d}`),
  }));
  return joined(base, field('elementBytes'), dimensions);
}

/** What lies side by side is one run. */
function joined(start: number, elementBytes: number, dimensions: readonly Dimension[]): Runs {
  const left = dimensions.filter(({ count }) => count !== 1);
  let bytes = elementBytes;
  for (let last = left.at(-1); last !== undefined && last.strideBytes === bytes; last = left.at(-1)) {
    bytes *= last.count;
    left.pop();
  }
  return { start, bytes, dimensions: left };
}
