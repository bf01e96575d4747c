import { HEADER_BYTES } from './encode.js';
import {
  INSTRUCTIONS,
  type Instruction,
  MAX_LOOP_DEPTH,
  type Queue,
  SEMAPHORES,
  STRIPE_RINGS,
} from './instructions.js';

const QUEUE_TITLES: Readonly<Record<Queue, string>> = {
  processor: 'Commands of the processor',
  load: 'Commands of the load queue',
  compute: 'Commands of the compute queue',
  store: 'Commands of the store queue',
};

const INTRODUCTION = `# The instruction set

This page is made from the table in \`src/commands/instructions.ts\`; do not edit it. \`npm run golden\` rewrites it.

## The machine

A command processor reads the stream in order and hands each command to one of three queues: \`load\` (DRAM to SRAM),
\`compute\` (MAC array and vector unit) and \`store\` (SRAM to DRAM). Each queue executes its commands in order, one at a time;
the queues run independently of each other. Only the load and store queues touch DRAM.

- There are ${SEMAPHORES} counting semaphores. \`wait\` is a mask: before the command starts, each named semaphore must be above
  zero and is decremented. \`signal\` is a mask: after the command has completed, each named semaphore is incremented.
- \`barrier\` waits until all queues are empty and sets all semaphores to zero.
- \`loop count=n\` ... \`endLoop\` repeats what is between, up to ${MAX_LOOP_DEPTH} deep. Fields of the commands of the queues may carry steps: the value
  in an iteration is base + the sum over the steps of iteration[level] * delta, taken modulo \`modulus\` where that is not 0
  (the result is in [0, modulus)); level 0 is the outermost loop. Commands of the processor take no steps.
- SRAM images are addressed by a view: channel c of the pixel in row r, column x is at
  Base + (Ring = 0 ? r : r mod Ring) * RowPitch + x * PixelPitch + c * bytes of an element. A ring is a rolling buffer
  that holds the latest \`Ring\` rows.
- A rolling buffer may hold less than whole rows. \`stripeRing\` describes one in one of ${STRIPE_RINGS - 1} registers; a view names it in its
  field Stripes, and RowPitch and Ring then mean nothing. The image is made in stripes of \`height\` rows, each column by column
  from left to right: row r is row j = (r + phase) mod height of stripe s = floor((r + phase) / height), and its pixel in
  column x is in column q = s * width + x of that order. Two rings follow each other at Base. The first holds the latest
  \`shortColumns\` columns of the first height - kept rows of a stripe, the second the latest \`longColumns\` columns of its last
  \`kept\` rows. For j < height - kept the pixel is at Base + ((q mod shortColumns) * (height - kept) + j) * PixelPitch, else
  at Base + (shortColumns * (height - kept) + (q mod longColumns) * kept + j - (height - kept)) * PixelPitch.
- Ranges of rows, columns and channels are clipped to the image. A command whose range is empty moves nothing, but waits and signals.
- The prologue runs once. The period runs once per batch, for ever. Its code is fetched from DRAM in every period; a loop whose
  body fits into the command FIFO is fetched once per entry, a larger one in every iteration.

## The file

\`program.bin\`, little endian:

| offset | bytes | |
|---|---|---|
| 0 | 4 | \`SPWY\` |
| 4 | 4 | version, 1 |
| 8 | 4 | bytes of the prologue |
| 12 | 4 | bytes of the period |
| 16 | 4 | CRC-32 of the prologue |
| 20 | 4 | CRC-32 of the period |
| 24 | 4 | CRC-32 of bytes 0 to 23 |
| ${HEADER_BYTES} | | the prologue, then the period |

A command is an opcode byte, whose top bit says that steps follow; a mask of the fields that differ from the latest earlier
command of the same opcode in the section (all zero before the first); those fields; the steps. The mask has one byte per
eight fields; with more than eight fields, a byte comes first that says which of these bytes are present. Numbers are
base-128, seven bits a byte, low bits first, the top bit set on all bytes but the last; signed ones (s) in zigzag form. A step is a byte
(field index in bits 0 to 5, bit 6: a modulus follows, bit 7: another step follows), the number zigzag(delta) * 4 + level,
and the modulus. "Earlier" is meant in the order of the file: at each new iteration of a loop the processor
goes back to the registers that it had at its beginning. A stream has exactly one encoding.

## The text

\`spillway disasm\` prints a command per line, fields that are 0 left out: \`row0=0{+8@0}\` has a step of 8 at level 0,
\`{+8@0%16}\` the same modulo 16; a view is one operand, \`in=base:rowPitch:pixelPitch%ring#stripes\`; \`wait=s0+s3\` is a mask.
`;

/** docs/isa.md. */
export function isaPage(): string {
  const queues: readonly Queue[] = ['processor', 'load', 'compute', 'store'];
  return `${INTRODUCTION}${queues.map(queueChapter).join('')}`;
}

function queueChapter(queue: Queue): string {
  const instructions = INSTRUCTIONS.filter((i) => i.queue === queue);
  return `\n## ${QUEUE_TITLES[queue]}\n${instructions.map(instructionEntry).join('')}`;
}

function instructionEntry(instruction: Instruction): string {
  const head = `\n### ${instruction.name} (0x${instruction.opcode.toString(16).padStart(2, '0')})\n\n${instruction.doc}\n`;
  if (instruction.fields.length === 0) return head;
  const rows = instruction.fields.map((f, index) => `| ${index} | \`${f.name}\` | ${f.type} | ${f.doc} |\n`);
  return `${head}\n| | field | | |\n|---|---|---|---|\n${rows.join('')}`;
}
