/** `spillway disasm`: a command stream as text, and text back into the same bytes. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { usageError } from './command-options.js';

interface Flags {
  readonly hex?: true;
  readonly assemble?: string;
  readonly output?: string;
}

const EXAMPLES = `
The commands and their fields are described in docs/isa.md.

Examples:
  spillway disasm out/resnet50-chip-a
  spillway disasm out/resnet50-chip-a -o program.asm
  spillway disasm out/resnet50-chip-a --hex -o program.hex     reg [7:0] code [0:size-1]; $readmemh("program.hex", code)
  spillway disasm --assemble program.asm -o program.bin
`;

export function registerDisasm(program: Command): void {
  program
    .command('disasm')
    .summary('show the command stream as text, or assemble it')
    .description('Prints program.bin of a compiled directory as text. The text assembles back to the same bytes.')
    .argument('[dir]', 'a directory that compile wrote')
    .option('--hex', 'print the bytes for $readmemh instead, one 8-bit word each')
    .option('--assemble <file>', 'assemble this text instead; with -o')
    .option('-o, --output <file>', 'write to a file instead of stdout')
    .addHelpText('after', EXAMPLES)
    .action(async (directory: string | undefined, flags: Flags) => {
      if (flags.hex && flags.assemble !== undefined) throw usageError('--hex prints the program of a directory');
      if (flags.assemble === undefined && directory !== undefined) await disassemble(directory, flags);
      else if (flags.assemble !== undefined && directory === undefined)
        await assembleFile(flags.assemble, flags.output);
      else throw usageError('give either a directory or --assemble FILE');
    });
}

async function disassemble(directory: string, { output, hex }: Flags): Promise<void> {
  const { decodeStream } = await import('../commands/decode.js');
  const { printStream } = await import('../commands/print.js');
  const { readInputFile } = await import('./read-file.js');
  const file = join(directory, 'program.bin');
  const bytes = readInputFile(file);
  const stream = decodeStream(bytes, file);
  const text = hex ? hexText(bytes) : printStream(stream);
  if (output === undefined) process.stdout.write(text);
  else await writeOne(output, text);
}

const BYTES_PER_LINE = 16;

/** Of IEEE 1364: hexadecimal words with space between them, and comments. */
function hexText(bytes: Uint8Array): string {
  const words = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'));
  const lines = [`// program.bin, ${bytes.length} bytes`];
  for (let at = 0; at < words.length; at += BYTES_PER_LINE) lines.push(words.slice(at, at + BYTES_PER_LINE).join(' '));
  return `${lines.join('\n')}\n`;
}

async function assembleFile(source: string, output: string | undefined): Promise<void> {
  const { assemble } = await import('../commands/assemble.js');
  const { encodeStream } = await import('../commands/encode.js');
  const { readInputFile } = await import('./read-file.js');
  if (output === undefined) throw usageError('--assemble needs -o FILE: the program is binary');
  const text = new TextDecoder().decode(readInputFile(source));
  await writeOne(output, encodeStream(assemble(text, source)));
}

async function writeOne(path: string, content: string | Uint8Array): Promise<void> {
  const { writeFiles } = await import('./write-files.js');
  const { basename, dirname } = await import('node:path');
  writeFiles(dirname(path), new Map([[basename(path), content]]));
}
