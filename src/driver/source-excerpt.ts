/** The line of a text file that a diagnostic is about, with a mark under the column. */
import { readFileSync, statSync } from 'node:fs';
import type { SourceLoc } from '../base/diagnostic.js';

const MOST_FILE_BYTES = 4 * 2 ** 20;
const MOST_COLUMNS = 120;

/** Lines to print, without a line break at the end; undefined where the place is no line of a text that can be read. */
export function sourceExcerpt({ file, line, column }: SourceLoc): string | undefined {
  if (line === undefined) return undefined;
  const text = readLine(file, line);
  if (text === undefined || text.trim() === '') return undefined;
  // Of a long line, what surrounds the column.
  const start = Math.max(0, Math.min((column ?? 1) - MOST_COLUMNS / 2, text.length - MOST_COLUMNS));
  const shown = text.slice(start, start + MOST_COLUMNS);
  const number = String(line);
  const excerpt = `  ${number} | ${shown}`;
  const before = (column ?? 0) - 1 - start;
  if (column === undefined || before > shown.length) return excerpt;
  // Tabs stay tabs, so that the mark is under its column however wide they are shown.
  const indent = shown.slice(0, before).replace(/[^\t]/g, ' ');
  return `${excerpt}\n  ${' '.repeat(number.length)} | ${indent}^`;
}

function readLine(file: string, line: number): string | undefined {
  try {
    const status = statSync(file);
    if (!status.isFile() || status.size > MOST_FILE_BYTES) return undefined;
    const text = readFileSync(file, 'utf8');
    return text.includes('\0') ? undefined : text.split(/\r?\n/)[line - 1];
  } catch {
    return undefined; // a place in something that is no file, or no longer there
  }
}
