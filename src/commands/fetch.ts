import { readHeader } from './decode.js';
import { encodeSection, HEADER_BYTES } from './encode.js';
import type { Command, CommandStream } from './types.js';

/** What is stored for each section; the file header is fetched with the prologue. @throws SpillwayError as decodeStream */
export function sectionBytes(
  bytes: Uint8Array,
  file = 'program.bin',
): { readonly prologueBytes: number; readonly periodBytes: number } {
  const { prologueBytes, periodBytes } = readHeader(bytes, file);
  return { prologueBytes: HEADER_BYTES + prologueBytes, periodBytes };
}

/**
 * Bytes of code that cross the DRAM interface when the section runs once. The command FIFO keeps what was fetched while
 * it fits: a loop whose body (with its endLoop) has at most `fifoBytes` is fetched once, a larger one in every iteration.
 */
export function fetchedSectionBytes(commands: readonly Command[], fifoBytes: number): number {
  const { commandBytes } = encodeSection(commands);
  // One entry per open loop: its count, bytes of its body as stored and as fetched by one iteration.
  const open = [{ count: 1, storedBytes: 0, fetchedBytes: 0 }];
  commands.forEach((command, index) => {
    const bytes = commandBytes[index] ?? 0;
    const inner = open.at(-1);
    if (inner === undefined) return;
    inner.storedBytes += bytes;
    inner.fetchedBytes += bytes;
    if (command.op === 'loop') open.push({ count: command.fields.count ?? 1, storedBytes: 0, fetchedBytes: 0 });
    if (command.op !== 'endLoop' || open.length < 2) return;
    open.pop();
    const outer = open.at(-1);
    if (outer === undefined) return;
    outer.storedBytes += inner.storedBytes;
    outer.fetchedBytes += inner.storedBytes <= fifoBytes ? inner.storedBytes : inner.fetchedBytes * inner.count;
  });
  return open[0]?.fetchedBytes ?? 0;
}

/** Code bytes of one period, as the report counts them. The simulator counts for itself. */
export function fetchedPeriodBytes(stream: CommandStream, fifoBytes: number): number {
  return fetchedSectionBytes(stream.period, fifoBytes);
}

/** Code bytes of the prologue, the file header included. */
export function fetchedPrologueBytes(stream: CommandStream, fifoBytes: number): number {
  return HEADER_BYTES + fetchedSectionBytes(stream.prologue, fifoBytes);
}
