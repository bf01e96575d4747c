/**
 * Tables of a flatbuffer, read through the flatbuffers runtime with every offset checked first: the runtime itself trusts its
 * file. Nothing is decoded ahead of use, and what is read in all is limited, so that a small file that points to the same
 * bytes many times ends in a diagnostic instead of much work.
 */
import { ByteBuffer } from 'flatbuffers';
import { malformed } from './problems.js';

/** Elements of vectors that may be read for each byte of the file. Files that share nothing stay below 1. */
const READS_PER_BYTE = 8;
const READS_AT_LEAST = 65536;

export class FlatFile {
  readonly buffer: ByteBuffer;
  private readsLeft: number;

  constructor(
    readonly bytes: Uint8Array,
    readonly file: string,
  ) {
    this.buffer = new ByteBuffer(bytes);
    this.readsLeft = Math.max(READS_AT_LEAST, bytes.length * READS_PER_BYTE);
  }

  /** @throws SpillwayError SW2101 unless [start, start + size) lies in the file */
  check(start: number, size: number): void {
    if (start >= 0 && size >= 0 && start + size <= this.bytes.length) return;
    malformed(
      'SW2101',
      { file: this.file },
      `an offset points to bytes ${start} to ${start + size} of a file of ${this.bytes.length} B`,
      'the file may be cut short or damaged',
    );
  }

  spend(reads: number): void {
    this.readsLeft -= reads;
    if (this.readsLeft >= 0) return;
    const message = 'the tables of the file point to the same bytes far too often';
    malformed('SW2101', { file: this.file }, message, 'the file may be damaged');
  }

  root(): FlatTable {
    this.check(0, 8);
    return new FlatTable(this, this.buffer.readUint32(0));
  }
}

/** Positions of the elements of a vector. */
interface VectorSpan {
  readonly start: number;
  readonly length: number;
}

export class FlatTable {
  private readonly vtable: number;
  private readonly vtableBytes: number;

  /** @throws SpillwayError SW2101 if no table can stand at the position */
  constructor(
    private readonly flat: FlatFile,
    private readonly position: number,
  ) {
    flat.spend(1);
    flat.check(position, 4);
    this.vtable = position - flat.buffer.readInt32(position);
    flat.check(this.vtable, 4);
    this.vtableBytes = flat.buffer.readUint16(this.vtable);
    flat.check(this.vtable, this.vtableBytes);
  }

  /** Position of a field's bytes, or 0 if the table does not have it. */
  private fieldAt(field: number, size: number): number {
    const entry = 4 + 2 * field;
    if (entry + 2 > this.vtableBytes) return 0;
    const offset = this.flat.buffer.readUint16(this.vtable + entry);
    if (offset === 0) return 0;
    this.flat.check(this.position + offset, size);
    return this.position + offset;
  }

  int8(field: number, absent = 0): number {
    const at = this.fieldAt(field, 1);
    return at === 0 ? absent : this.flat.buffer.readInt8(at);
  }

  uint8(field: number, absent = 0): number {
    const at = this.fieldAt(field, 1);
    return at === 0 ? absent : this.flat.buffer.readUint8(at);
  }

  bool(field: number, absent = false): boolean {
    return this.uint8(field, absent ? 1 : 0) !== 0;
  }

  int32(field: number, absent = 0): number {
    const at = this.fieldAt(field, 4);
    return at === 0 ? absent : this.flat.buffer.readInt32(at);
  }

  uint32(field: number, absent = 0): number {
    return this.int32(field, absent) >>> 0;
  }

  float32(field: number, absent = 0): number {
    const at = this.fieldAt(field, 4);
    return at === 0 ? absent : this.flat.buffer.readFloat32(at);
  }

  /** Exact up to 2^53. */
  uint64(field: number): number {
    const at = this.fieldAt(field, 8);
    return at === 0 ? 0 : Number(this.flat.buffer.readUint64(at));
  }

  table(field: number): FlatTable | undefined {
    const at = this.fieldAt(field, 4);
    return at === 0 ? undefined : new FlatTable(this.flat, at + this.flat.buffer.readUint32(at));
  }

  string(field: number): string {
    const { start, length } = this.vector(field, 1);
    this.flat.spend(length);
    return new TextDecoder().decode(this.flat.bytes.subarray(start, start + length));
  }

  /** The bytes of a vector of bytes: a view of the file. */
  bytes(field: number): Uint8Array {
    const { start, length } = this.vector(field, 1);
    return this.flat.bytes.subarray(start, start + length);
  }

  int32s(field: number): number[] {
    return this.elements(field, 4, (at) => this.flat.buffer.readInt32(at));
  }

  uint16s(field: number): number[] {
    return this.elements(field, 2, (at) => this.flat.buffer.readUint16(at));
  }

  /** Exact up to 2^53. */
  int64s(field: number): number[] {
    return this.elements(field, 8, (at) => Number(this.flat.buffer.readInt64(at)));
  }

  float32s(field: number): number[] {
    return this.elements(field, 4, (at) => this.flat.buffer.readFloat32(at));
  }

  tables(field: number): FlatTable[] {
    return this.elements(field, 4, (at) => new FlatTable(this.flat, at + this.flat.buffer.readUint32(at)));
  }

  private elements<T>(field: number, size: number, read: (at: number) => T): T[] {
    const { start, length } = this.vector(field, size);
    this.flat.spend(length);
    return Array.from({ length }, (_, i) => read(start + i * size));
  }

  private vector(field: number, elementBytes: number): VectorSpan {
    const at = this.fieldAt(field, 4);
    if (at === 0) return { start: 0, length: 0 };
    const vector = at + this.flat.buffer.readUint32(at);
    this.flat.check(vector, 4);
    const length = this.flat.buffer.readUint32(vector);
    this.flat.check(vector + 4, length * elementBytes);
    return { start: vector + 4, length };
  }
}
