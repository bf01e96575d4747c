/** Reads one line of text from left to right and knows the column. Used by the parser of the IR's text form. */
import { BARE_NAME } from './print.js';

/** Something is not as the grammar has it; the parser turns it into a Diagnostic with file and line. */
export class ScanError extends Error {
  constructor(
    message: string,
    readonly column: number, // 1-based
  ) {
    super(message);
  }
}

const SPACE = /[ \t]*/y;
const WORD = /[A-Za-z][A-Za-z0-9-]*/y;
const NUMBER = /-?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|Infinity)|NaN/y;
const STRING = /"(?:[^"\\]|\\.)*"/y;

export class Scanner {
  private position = 0;

  constructor(private readonly line: string) {}

  /** 1-based column of what comes next, after spaces. */
  get column(): number {
    this.skipSpace();
    return this.position + 1;
  }

  atEnd(): boolean {
    this.skipSpace();
    return this.position >= this.line.length;
  }

  fail(expected: string): never {
    this.skipSpace();
    const rest = this.line.slice(this.position, this.position + 20);
    throw new ScanError(
      `expected ${expected}, found ${rest === '' ? 'the end of the line' : `'${rest}'`}`,
      this.column,
    );
  }

  expectEnd(): void {
    if (!this.atEnd()) this.fail('the end of the line');
  }

  /** Takes the text if it comes next. */
  accept(text: string): boolean {
    this.skipSpace();
    if (!this.line.startsWith(text, this.position)) return false;
    this.position += text.length;
    return true;
  }

  isNext(text: string): boolean {
    this.skipSpace();
    return this.line.startsWith(text, this.position);
  }

  expect(text: string): void {
    if (!this.accept(text)) this.fail(`'${text}'`);
  }

  /** Takes the word if it comes next and ends there. */
  acceptWord(word: string): boolean {
    if (this.peek(WORD) !== word) return false;
    this.position += word.length;
    return true;
  }

  expectWord(word: string): void {
    if (!this.acceptWord(word)) this.fail(`'${word}'`);
  }

  word(what: string): string {
    const word = this.peek(WORD) ?? this.fail(what);
    this.position += word.length;
    return word;
  }

  number(what = 'a number'): number {
    const text = this.peek(NUMBER) ?? this.fail(what);
    this.position += text.length;
    return Number(text);
  }

  /** An integer that counts or addresses something. */
  count(what: string): number {
    const column = this.column;
    const value = this.number(what);
    if (!Number.isSafeInteger(value) || value < 0)
      throw new ScanError(`${what} ${value} is not a whole number`, column);
    return value;
  }

  integer(what: string): number {
    const column = this.column;
    const value = this.number(what);
    if (!Number.isSafeInteger(value)) throw new ScanError(`${what} ${value} is not an integer`, column);
    return value;
  }

  /** Values with a separator between; at least one. */
  list<T>(separator: string, item: () => T): T[] {
    const items = [item()];
    while (this.accept(separator)) items.push(item());
    return items;
  }

  name(what: string): string {
    const bare = this.peek(BARE_NAME);
    if (bare !== undefined) {
      this.position += bare.length;
      return bare;
    }
    const quoted = this.peek(STRING) ?? this.fail(what);
    try {
      const value: unknown = JSON.parse(quoted);
      if (typeof value !== 'string') return this.fail(what);
      this.position += quoted.length;
      return value;
    } catch {
      return this.fail(`${what} as a JSON string`);
    }
  }

  private peek(pattern: RegExp): string | undefined {
    this.skipSpace();
    pattern.lastIndex = this.position;
    return pattern.exec(this.line)?.[0];
  }

  private skipSpace(): void {
    SPACE.lastIndex = this.position;
    SPACE.exec(this.line);
    this.position = SPACE.lastIndex;
  }
}
