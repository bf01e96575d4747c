/** `spillway disasm`: a command stream as text, and text back into the same bytes. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { usageError } from './command-options.js';

interface Flags {
  readonly assemble?: string;
  readonly output?: string;
}

const EXAMPLES = `
The commands and their fields are described in docs/isa.md.

Examples:
  spillway disasm out/resnet50-chip-a
  spillway disasm out/resnet50-chip-a -o program.asm
  spillway disasm --assemble program.asm -o program.bin
`;

export function registerDisasm(program: Command): void {
  program
    .command('disasm')
    .summary('show the command stream as text, or assemble it')
    .description('Prints program.bin of a compiled directory as text. The text assembles back to the same bytes.')
    .argument('[dir]', 'a directory that compile wrote')
    .option('--assemble <file>', 'assemble this text instead; with -o')
    .option('-o, --output <file>', 'write to a file instead of stdout')
    .addHelpText('after', EXAMPLES)
    .action(async (directory: string | undefined, flags: Flags) => {
      if (flags.assemble === undefined && directory !== undefined) await disassemble(directory, flags.output);
      else if (flags.assemble !== undefined && directory === undefined)
        await assembleFile(flags.assemble, flags.output);
      else throw usageError('give either a directory or --assemble FILE');
    });
}

async function disassemble(directory: string, output: string | undefined): Promise<void> {
  const { decodeStream } = await import('../commands/decode.js');
  const { printStream } = await import('../commands/print.js');
  const { readInputFile } = await import('./read-file.js');
  const file = join(directory, 'program.bin');
  const text = printStream(decodeStream(readInputFile(file), file));
  if (output === undefined) process.stdout.write(text);
  else await writeOne(output, text);
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
