/**
 * Rolling buffers of stripes, as the head of commands/instructions.ts defines them: what a register holds, and where the
 * pixel of a row and a column lies.
 */
import type { Range } from './geometry.js';
import type { Fields } from './sequencer.js';

export interface StripeRing {
  readonly width: number;
  readonly height: number; // rows of a stripe
  readonly phase: number;
  readonly kept: number; // last rows of a stripe, in the long ring
  readonly shortColumns: number;
  readonly longColumns: number;
}

/** Fields of a register. Beside a command's own they are called after the view: `inStripes.width`. */
const PARTS = ['width', 'height', 'phase', 'kept', 'shortColumns', 'longColumns'] as const;
const FIELDS = new Map<string, readonly (readonly [part: string, field: string])[]>();

function registerFields(prefix: string): readonly (readonly [part: string, field: string])[] {
  const known = FIELDS.get(prefix);
  if (known !== undefined) return known;
  const fields = PARTS.map((part) => [part, `${prefix}Stripes.${part}`] as const);
  FIELDS.set(prefix, fields);
  return fields;
}

/** Prefixes of the views of an instruction that may name a register. */
export function stripeViews(fieldNames: readonly string[]): string[] {
  return fieldNames.filter((name) => name.endsWith('Stripes')).map((name) => name.slice(0, -'Stripes'.length));
}

/** What each register holds at a time, as fields of the command that set it. */
export type StripeRegisters = ReadonlyMap<number, Fields>;

/** Puts what the registers hold that the views name beside a command's own fields, in place of what stood there. */
export function describeStripes(
  fields: Record<string, number>,
  prefixes: readonly string[],
  registers: StripeRegisters,
): void {
  for (const prefix of prefixes) {
    const index = fields[`${prefix}Stripes`] ?? 0;
    const register = index === 0 ? undefined : registers.get(index);
    for (const [part, field] of registerFields(prefix)) {
      if (register !== undefined) fields[field] = register[part] ?? 0;
      else if (fields[field] !== undefined) delete fields[field];
    }
  }
}

/** Of the view with this prefix; undefined when it is none of stripes. */
export function stripeRingOf(fields: Fields, prefix: string): StripeRing | undefined {
  const [width, height, phase, kept, shortColumns, longColumns] = registerFields(prefix).map(
    ([, field]) => fields[field],
  );
  if (width === undefined) return undefined;
  return {
    width,
    height: height ?? 0,
    phase: phase ?? 0,
    kept: kept ?? 0,
    shortColumns: shortColumns ?? 0,
    longColumns: longColumns ?? 0,
  };
}

/** A view that names a register which nothing has set. */
export function missingRegister(fields: Fields, prefixes: readonly string[]): string | undefined {
  for (const prefix of prefixes) {
    const index = fields[`${prefix}Stripes`] ?? 0;
    if (index !== 0 && fields[`${prefix}Stripes.width`] === undefined)
      return `${prefix}Stripes = ${index} names a ring of stripes that nothing has described`;
  }
  return undefined;
}

/** Pixels from the base of the buffer to the pixel in row `row` and column `x`. */
export function pixelIndex(ring: StripeRing, row: number, x: number): number {
  const { height, kept } = ring;
  const made = row + ring.phase;
  const j = made % height;
  const q = ((made - j) / height) * ring.width + x;
  const short = height - kept;
  if (j < short) return (q % ring.shortColumns) * short + j;
  return ring.shortColumns * short + (q % ring.longColumns) * kept + j - short;
}

/** How many pixels before `pixelIndex` the place would be if the ring had never come round: tells rounds apart. */
export function roundPixels(ring: StripeRing, row: number, x: number): number {
  const { height, kept } = ring;
  const made = row + ring.phase;
  const j = made % height;
  const q = ((made - j) / height) * ring.width + x;
  const columns = j < height - kept ? ring.shortColumns : ring.longColumns;
  // Without a width, stripes begin in the same place: each is a round of its own.
  const rounds = q - (q % columns) + (ring.width === 0 ? (made - j) * 2 ** 20 : 0);
  return rounds * (j < height - kept ? height - kept : kept);
}

/** The rows cut into runs of one stripe and one ring: their pixels of a column lie side by side. */
export function rowGroups({ height, phase, kept }: StripeRing, rows: Range): Range[] {
  const groups: Range[] = [];
  for (let lo = rows.lo; lo < rows.hi; ) {
    const j = (lo + phase) % height;
    const end = lo + (j < height - kept ? height - kept : height) - j;
    groups.push({ lo, hi: Math.min(end, rows.hi) });
    lo = end;
  }
  return groups;
}

/**
 * Cuts a rectangle into runs of pixels that lie side by side and were made in one round of their ring.
 *
 * @param runs gets three numbers for each: the pixels from the base of the buffer, their number, and what roundPixels says of
 * them; what it held before is overwritten
 * @returns how many of its numbers are in use
 */
export function stripeRuns(ring: StripeRing, rows: Range, cols: Range, runs: number[]): number {
  const { height, kept, shortColumns, longColumns, width, phase } = ring;
  const short = height - kept;
  let used = 0;
  for (let row = rows.lo; row < rows.hi; ) {
    const made = row + phase;
    const j = made % height;
    const isShort = j < short;
    const [columns, columnPixels] = isShort ? [shortColumns, short] : [longColumns, kept];
    const next = Math.min(rows.hi, row + (isShort ? short : height) - j);
    const count = next - row;
    const start = isShort ? j : shortColumns * short + j - short; // of the ring's column 0
    // Without a width, stripes begin in the same place: each is a round of its own.
    const ownRound = width === 0 ? (made - j) * 2 ** 20 : 0;
    let q = ((made - j) / height) * width + cols.lo;
    const end = q + cols.hi - cols.lo;
    while (q < end) {
      const column = q % columns;
      // Whole columns follow each other up to the end of the ring.
      const together = count === columnPixels ? Math.min(end - q, columns - column) : 1;
      runs[used] = start + column * columnPixels;
      runs[used + 1] = together * count;
      runs[used + 2] = (q - column + ownRound) * columnPixels;
      used += 3;
      q += together;
    }
    row = next;
  }
  return used;
}

export function isSameRing(a: StripeRing | undefined, b: StripeRing | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.width === b.width &&
    a.height === b.height &&
    a.phase === b.phase &&
    a.kept === b.kept &&
    a.shortColumns === b.shortColumns &&
    a.longColumns === b.longColumns
  );
}
