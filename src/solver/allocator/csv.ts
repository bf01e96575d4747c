/**
 * Allocation problems as CSV, in the format of MiniMalloc's benchmarks:
 *
 *   id,lower,upper,size,alignment,gaps,offset
 *   weights,0,40,65536,64,,0
 *   %3,4,20,4096,64,8-12 14-16,
 *
 * Columns in any order; id, lower, upper and size are needed. Lifetimes and gaps are half-open. A gap is `lower-upper`,
 * several are separated by spaces. An `end` column instead of `upper`, as in MiniMalloc's older files, names the last step: it
 * and the ends of gaps are then inclusive. An offset fixes the buffer there; a hint is where to try first. Other columns are ignored.
 */
import { type Diagnostic, SpillwayError } from '../../base/diagnostic.js';
import type { AllocationBuffer, Window } from './problem.js';

/** Column names, lower case, and what we call them. */
const COLUMNS: Readonly<Record<string, Column>> = {
  id: 'id',
  buffer: 'id',
  buffer_id: 'id',
  lower: 'lower',
  start: 'lower',
  begin: 'lower',
  upper: 'upper',
  end: 'end',
  size: 'size',
  alignment: 'alignment',
  gaps: 'gaps',
  offset: 'offset',
  hint: 'hint',
};
type Column = 'id' | 'lower' | 'upper' | 'end' | 'size' | 'alignment' | 'gaps' | 'offset' | 'hint';
const NEEDED: readonly Column[] = ['id', 'lower', 'upper', 'size'];

/** Mistakes are reported together, up to this many. */
const MOST_DIAGNOSTICS = 20;

/**
 * @param file name for diagnostics
 * @throws SpillwayError SW6001 (columns), SW6002 (a value), SW6003 (an id twice), all with line numbers
 */
export function parseAllocationCsv(text: string, file: string): AllocationBuffer[] {
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  const reader = new RowReader(file);
  const headerLine = lines.findIndex((line) => line.trim() !== '');
  const columns = readHeader(splitFields(lines[headerLine] ?? ''), file, headerLine + 1);
  const buffers: AllocationBuffer[] = [];
  const lineOfId = new Map<string, number>();
  lines.forEach((line, index) => {
    if (index <= headerLine || line.trim() === '') return;
    const buffer = reader.read(splitFields(line), columns, index + 1);
    if (buffer === undefined) return;
    const earlier = lineOfId.get(buffer.id);
    if (earlier !== undefined) {
      reader.complain('SW6003', index + 1, `the id '${buffer.id}' appears a second time; first on line ${earlier}`);
    }
    lineOfId.set(buffer.id, index + 1);
    buffers.push(buffer);
  });
  if (reader.diagnostics.length > 0) throw new SpillwayError(reader.diagnostics.slice(0, MOST_DIAGNOSTICS));
  return buffers;
}

/** Fields of one line; quotes may surround a field, and a doubled quote inside stands for one. */
function splitFields(line: string): string[] {
  const fields: string[] = [];
  for (const match of line.matchAll(/(?:^|,)(?:\s*"((?:[^"]|"")*)"\s*(?=,|$)|([^,]*))/g)) {
    fields.push(match[1] === undefined ? (match[2] ?? '').trim() : match[1].replaceAll('""', '"'));
  }
  return fields;
}

function readHeader(names: readonly string[], file: string, line: number): ReadonlyMap<Column, number> {
  const columns = new Map<Column, number>();
  const fail = (message: string): never => {
    const hint = 'the first line names the columns, e.g. id,lower,upper,size,alignment,gaps,offset';
    throw new SpillwayError([
      { code: 'SW6001', blame: 'input', message, loc: { file, line: Math.max(line, 1) }, hint },
    ]);
  };
  names.forEach((name, index) => {
    const key = name.toLowerCase();
    const column = Object.hasOwn(COLUMNS, key) ? COLUMNS[key] : undefined;
    if (column === undefined) return;
    if (columns.has(column)) fail(`two columns give the ${column}`);
    columns.set(column, index);
  });
  if (columns.has('upper') && columns.has('end')) fail('two columns say when a life ends: upper and end');
  const missing = NEEDED.filter((column) => !columns.has(column) && !(column === 'upper' && columns.has('end')));
  if (missing.length > 0) fail(`the header has no column ${missing.join(', ')}`);
  return columns;
}

/** Turns rows into buffers, and collects what is wrong with them. */
class RowReader {
  readonly diagnostics: Diagnostic[] = [];
  private readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  complain(code: 'SW6002' | 'SW6003', line: number, message: string, hint?: string): undefined {
    const loc = { file: this.file, line };
    this.diagnostics.push({ code, blame: 'input', message, loc, ...(hint === undefined ? {} : { hint }) });
    return undefined;
  }

  read(fields: readonly string[], columns: ReadonlyMap<Column, number>, line: number): AllocationBuffer | undefined {
    const field = (column: Column): string => fields[columns.get(column) ?? -1] ?? '';
    const id = field('id');
    if (id === '') return this.complain('SW6002', line, 'the id is empty');
    const integer = (column: Column, least: number): number | undefined => {
      const value = /^[+-]?\d+$/.test(field(column)) ? Number(field(column)) : Number.NaN;
      if (Number.isSafeInteger(value) && value >= least) return value;
      const wanted = least === Number.MIN_SAFE_INTEGER ? 'an integer' : `an integer of at least ${least}`;
      return this.complain('SW6002', line, `${column} of buffer '${id}' is '${field(column)}'; it must be ${wanted}`);
    };
    const optional = (column: Column, least: number): number | undefined =>
      field(column) === '' ? undefined : integer(column, least);
    const lower = integer('lower', Number.MIN_SAFE_INTEGER);
    const inclusive = columns.has('end') ? 1 : 0;
    const end = integer(columns.has('end') ? 'end' : 'upper', Number.MIN_SAFE_INTEGER);
    const upper = end === undefined ? undefined : end + inclusive;
    const sizeBytes = integer('size', 0);
    const alignmentBytes = optional('alignment', 1);
    const fixedOffsetBytes = optional('offset', 0);
    const hintOffsetBytes = optional('hint', -1); // -1 stands for none
    if (lower === undefined || upper === undefined || sizeBytes === undefined) return undefined;
    if (upper <= lower) {
      const hint = 'lifetimes are half-open: upper is one past the last step';
      return this.complain('SW6002', line, `buffer '${id}' lives from ${lower} to ${upper}, which is no time`, hint);
    }
    if (fixedOffsetBytes !== undefined && fixedOffsetBytes % (alignmentBytes ?? 1) !== 0) {
      const message = `buffer '${id}' is fixed at ${fixedOffsetBytes}, no multiple of its alignment ${alignmentBytes}`;
      return this.complain('SW6002', line, message);
    }
    const gaps = this.readGaps(field('gaps'), inclusive, id, line);
    return {
      id,
      lower,
      upper,
      sizeBytes,
      ...(alignmentBytes === undefined ? {} : { alignmentBytes }),
      ...(gaps.length === 0 ? {} : { gaps }),
      ...(fixedOffsetBytes === undefined ? {} : { fixedOffsetBytes }),
      ...(hintOffsetBytes === undefined || hintOffsetBytes < 0 ? {} : { hintOffsetBytes }),
    };
  }

  private readGaps(text: string, inclusive: number, id: string, line: number): Window[] {
    const gaps: Window[] = [];
    for (const word of text.split(/\s+/)) {
      if (word === '') continue;
      const match = /^(-?\d+)-(-?\d+)(@.*)?$/.exec(word);
      const gap = { lower: Number(match?.[1]), upper: Number(match?.[2]) + inclusive };
      if (match?.[3] !== undefined) {
        const hint = 'a gap in which part of the buffer stays live cannot be expressed; split the buffer instead';
        this.complain('SW6002', line, `gap '${word}' of buffer '${id}' keeps a window of its bytes`, hint);
      } else if (gap.lower < gap.upper) gaps.push(gap);
      else this.complain('SW6002', line, `gap '${word}' of buffer '${id}' is not of the form lower-upper`);
    }
    return gaps;
  }
}

/** The buffers with their offsets, in the order given. Optional columns appear where a buffer has a value for them. */
export function writeAllocationCsv(buffers: readonly AllocationBuffer[], offsets: ReadonlyMap<string, number>): string {
  const hasAlignment = buffers.some((buffer) => buffer.alignmentBytes !== undefined);
  const hasGaps = buffers.some((buffer) => (buffer.gaps ?? []).length > 0);
  const names = ['id', 'lower', 'upper', 'size', ...(hasAlignment ? ['alignment'] : []), ...(hasGaps ? ['gaps'] : [])];
  const lines = [[...names, 'offset'].join(',')];
  for (const buffer of buffers) {
    const gaps = (buffer.gaps ?? []).map((gap) => `${gap.lower}-${gap.upper}`).join(' ');
    const fields = [quote(buffer.id), buffer.lower, buffer.upper, buffer.sizeBytes];
    if (hasAlignment) fields.push(buffer.alignmentBytes ?? 1);
    if (hasGaps) fields.push(gaps);
    lines.push([...fields, offsets.get(buffer.id) ?? ''].join(','));
  }
  return `${lines.join('\n')}\n`;
}

function quote(id: string): string {
  return /[",\n\r]|^\s|\s$/.test(id) ? `"${id.replaceAll('"', '""')}"` : id;
}
