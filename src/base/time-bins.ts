/**
 * What was done when, for plots: bytes and multiply-accumulates in bins of equal length from the beginning of a section to its end. How long that
 * is shows only in the end: when the bins are full, each two become one of twice the length.
 */

/** Sums of each bin; the last one may reach beyond the end. */
export interface TimeBins {
  readonly binCycles: number;
  /** Of transfers; the control code, which has no times of its own, is not among them. */
  readonly dramReadBytes: readonly number[];
  readonly dramWriteBytes: readonly number[];
  readonly macs: readonly number[];
}

export type TimeRow = 'dramReadBytes' | 'dramWriteBytes' | 'macs';

const BINS = 512;
const FIRST_BIN_CYCLES = 16;

export class TimeBinning {
  private binCycles = FIRST_BIN_CYCLES;
  private end = 0;
  private readonly rows: Readonly<Record<TimeRow, Float64Array>> = {
    dramReadBytes: new Float64Array(BINS),
    dramWriteBytes: new Float64Array(BINS),
    macs: new Float64Array(BINS),
  };

  /** Evenly over [from, to); all at once where that is no time. */
  add(name: TimeRow, from: number, to: number, amount: number): void {
    if (amount === 0) return;
    while (to >= this.binCycles * BINS) this.halve();
    this.end = Math.max(this.end, to);
    const row = this.rows[name];
    const { binCycles } = this;
    const [first, last] = [Math.floor(from / binCycles), Math.floor(to / binCycles)];
    if (first === last) {
      row[first] = (row[first] ?? 0) + amount;
      return;
    }
    const perCycle = amount / (to - from);
    for (let bin = first; bin <= last; bin += 1) {
      const cycles = Math.min(to, (bin + 1) * binCycles) - Math.max(from, bin * binCycles);
      row[bin] = (row[bin] ?? 0) + cycles * perCycle;
    }
  }

  bins(): TimeBins {
    const count = Math.ceil(this.end / this.binCycles);
    const shown = (name: TimeRow): number[] => [...this.rows[name].subarray(0, Math.max(1, count))].map(rounded);
    return {
      binCycles: this.binCycles,
      dramReadBytes: shown('dramReadBytes'),
      dramWriteBytes: shown('dramWriteBytes'),
      macs: shown('macs'),
    };
  }

  private halve(): void {
    for (const row of Object.values(this.rows)) {
      for (let bin = 0; bin < BINS / 2; bin += 1) row[bin] = (row[2 * bin] ?? 0) + (row[2 * bin + 1] ?? 0);
      row.fill(0, BINS / 2);
    }
    this.binCycles *= 2;
  }
}

/** Thousandths; sums of shares are no whole numbers. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
