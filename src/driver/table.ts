/** Columns of text for a terminal and for report.txt: plain characters, numbers to the right. */

export interface Column<Row> {
  readonly title: string;
  readonly align: 'left' | 'right';
  readonly cell: (row: Row) => string;
}

/** A header, a line, and a line per row; no trailing spaces. */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map((column) => column.cell(row)));
  const widths = columns.map((column, i) =>
    cells.reduce((widest, line) => Math.max(widest, line[i]?.length ?? 0), column.title.length),
  );
  const pad = (text: string, i: number): string => {
    const width = widths[i] ?? 0;
    return columns[i]?.align === 'right' ? text.padStart(width) : text.padEnd(width);
  };
  const line = (texts: readonly string[]): string => texts.map(pad).join('  ').trimEnd();
  const head = line(columns.map((column) => column.title));
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return `${[head, rule, ...cells.map(line)].join('\n')}\n`;
}

export type Unit = 'MB' | 'kB';

/** MB (1e6 bytes) as every report counts them; kB (1e3) where MB would show nothing. */
export function unitFor(largestBytes: number): Unit {
  return largestBytes >= 1e5 ? 'MB' : 'kB';
}

export function inUnit(bytes: number, unit: Unit): string {
  return (bytes / (unit === 'MB' ? 1e6 : 1e3)).toFixed(3);
}

/** `25.723 MB`, `1.800 kB`. */
export function decimalSize(bytes: number): string {
  const unit = unitFor(bytes);
  return `${inUnit(bytes, unit)} ${unit}`;
}

/** `8 MiB`, `512 KiB`, `1000 B`: sizes of memories. */
export function binarySize(bytes: number): string {
  if (bytes % 2 ** 20 === 0) return `${bytes / 2 ** 20} MiB`;
  if (bytes % 2 ** 10 === 0) return `${bytes / 2 ** 10} KiB`;
  return `${bytes} B`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`;
}

/** `3.86 G`, `12.4 M`, `980`. */
export function short(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
  return String(value);
}
