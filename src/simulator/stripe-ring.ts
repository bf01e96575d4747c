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

/** The registers, as the command processor sets them and puts their contents beside the fields of the commands it issues. */
export class StripeRings {
  private readonly registers = new Map<number, Fields>();

  set(fields: Fields): void {
    this.registers.set(fields.index ?? 0, fields);
  }

  /** The fields of a command, with what the registers hold that its views name. */
  resolve(prefixes: readonly string[], fields: Fields): Fields {
    let resolved: Record<string, number> | undefined;
    for (const prefix of prefixes) {
      const index = fields[`${prefix}Stripes`] ?? 0;
      const register = index === 0 ? undefined : this.registers.get(index);
      if (register === undefined) continue;
      resolved ??= { ...fields };
      for (const [part, field] of registerFields(prefix)) resolved[field] = register[part] ?? 0;
    }
    return resolved ?? fields;
  }
}

/** Of the view with this prefix; undefined when it is none of stripes. */
export function stripeRingOf(fields: Fields, prefix: string): StripeRing | undefined {
  const width = fields[`${prefix}Stripes.width`];
  if (width === undefined) return undefined;
  const part = (name: (typeof PARTS)[number]) => fields[`${prefix}Stripes.${name}`] ?? 0;
  return {
    width,
    height: part('height'),
    phase: part('phase'),
    kept: part('kept'),
    shortColumns: part('shortColumns'),
    longColumns: part('longColumns'),
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
