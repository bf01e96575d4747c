#!/usr/bin/env node
/** The command line: commands and exit codes. What each command does is in src/driver, loaded when it runs. */
import { Command, CommanderError } from 'commander';
import { registerAllocate } from './driver/allocate-command.js';
import { registerCompare } from './driver/compare-command.js';
import { registerCompile } from './driver/compile-command.js';
import { registerCompletion } from './driver/completion-command.js';
import { registerDiff } from './driver/diff-command.js';
import { registerDisasm } from './driver/disasm-command.js';
import { registerExplain } from './driver/explain-command.js';
import { reportFailure } from './driver/failure.js';
import { registerInspect } from './driver/inspect-command.js';
import { registerSimulate } from './driver/simulate-command.js';
import { registerSweep } from './driver/sweep-command.js';
import { registerTargets } from './driver/targets-command.js';
import { SPILLWAY_VERSION } from './driver/version.js';

const HELP = `
Examples:
  spillway compile examples/resnet50.model.ts --target chip-a -o out/resnet50
  spillway simulate out/resnet50
  spillway compare examples/resnet50.model.ts --target chip-a

Exit codes: 0 done, 1 the input is at fault, 2 usage, 3 no schedule fits, 70 a bug of ours.
`;

const program = new Command('spillway')
  .description(
    'Decides for every byte of a neural network whether it is in SRAM or in DRAM, and emits the code for it.',
  )
  .version(SPILLWAY_VERSION)
  .showHelpAfterError('(see spillway <command> --help)')
  .exitOverride() // before the commands, which inherit it
  .addHelpText('after', HELP);

registerCompile(program);
registerCompare(program);
registerSweep(program);
registerSimulate(program);
registerInspect(program);
registerTargets(program);
registerExplain(program);
registerDiff(program);
registerDisasm(program);
registerAllocate(program);
registerCompletion(program);

// A reader that closes its end early (head, less) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  // commander has printed its own message; help that was asked for has exit code 0.
  process.exitCode = error instanceof CommanderError ? (error.exitCode === 0 ? 0 : 2) : reportFailure(error);
}
