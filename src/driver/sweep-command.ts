/** `spillway sweep`: one model over SRAM sizes, batches, image sizes, chips and objectives. */
import { type Command, Option } from 'commander';
import { addCompilerOptions, addPair, integerFrom, oneOf, PLACEMENTS } from './command-options.js';
import { OBJECTIVES } from './objective-names.js';
import { addShapes, addValues, integersFrom, manyOf, namesFrom, sramItemsFrom } from './sweep/axes.js';
import type { SweepFlags } from './sweep/plan.js';

const EXAMPLES = `
Lists have commas: --batch 1,10. Every combination of what is given is a point. A point that does not fit is one, too.

Writes sweep.json, sweep.csv, sweep.html, and points/ with a file for each finished point. A sweep that was stopped or killed goes
on where it was when the same command is given again.

Examples:
  spillway sweep examples/resnet50.model.ts --target chip-a --sram 1MiB..64MiB
  spillway sweep examples/yolov3.model.ts --target chip-a --sram 2MiB..256MiB --points 20 --param size=416,608 -o out/yolo
  spillway sweep net.onnx --target chip-a,chip-b,./mine.json --batch 1,10 --json > sweep.json
  spillway sweep examples/resnet50.model.ts --target chip-a --sram 2MiB..16MiB --objective traffic,latency,energy

Exit codes: 0 done, 1 the input is at fault, 2 usage, 3 no point fits, 70 a bug of ours, 130 interrupted.
`;

export function registerSweep(program: Command): void {
  const command = program
    .command('sweep')
    .summary('compile a model over SRAM sizes, batches, chips ...')
    .description(
      'Compiles a model for every point of a range and shows traffic, frames per second and energy against SRAM.',
    )
    .argument('<model>', 'a .model.ts, .onnx or .tflite file')
    .option('-t, --target <targets>', 'needed: chips in targets/, or paths of chip files', namesFrom('--target'))
    .option(
      '--sram <sizes>',
      "sizes, or ranges in logarithmic steps: 1MiB..64MiB (default: the chip file's own)",
      sramItemsFrom('--sram'),
    )
    .option('--points <n>', 'sizes in each range', integerFrom('--points', 2, 1000))
    .option('--per-octave <n>', 'sizes in each doubling of SRAM (default: 4)', integerFrom('--per-octave', 1, 100))
    .option('--batch <list>', "frames per period (default: the model's own, or 1)", integersFrom('--batch', 1, 4096))
    .option('-p, --param <name=list>', 'values of a parameter of a .model.ts file; repeatable', addValues('--param'))
    .option('-i, --input <name=list>', 'shapes of an input with open dimensions; repeatable', addShapes)
    .option(
      '--state <input=output>',
      'an input of an ONNX file that carries this output over from the frame before, at every point; repeatable',
      addPair('--state'),
    )
    .addOption(
      new Option('--objective <list>', 'traffic, latency, throughput, energy')
        .argParser(manyOf('--objective', OBJECTIVES))
        .default(['traffic'], 'traffic'),
    )
    .option('-o, --output <dir>', 'where to write (default: out/<model>-sweep; nothing with --json alone)')
    .option('-j, --jobs <n>', 'threads (default: one for each core)', integerFrom('--jobs', 1, 256));
  addCompilerOptions(command)
    .option('--placement <name>', 'none, greedy or ilp', oneOf('--placement', PLACEMENTS), 'ilp')
    .option('--json', 'print the sweep as one JSON document, and nothing else, on stdout')
    .addHelpText('after', EXAMPLES)
    .action(async (model: string, flags: SweepFlags) => {
      const { runSweep } = await import('./sweep/run-sweep.js');
      await runSweep(model, flags);
    });
}
