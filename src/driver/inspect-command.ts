/** `spillway inspect`: what a model is made of, before any decision about memory. */
import type { Command } from 'commander';
import { addPair, addShape } from './command-options.js';

interface Flags {
  readonly param?: ReadonlyMap<string, string>;
  readonly input?: ReadonlyMap<string, readonly number[]>;
  readonly state?: ReadonlyMap<string, string>;
  readonly target?: string;
  readonly minSram?: true;
  readonly json?: true;
  readonly dot?: true;
}

/** Of the chips in targets/. */
export const DEFAULT_ALIGNMENT_BYTES = 16;

const EXAMPLES = `
Bytes are those of int8, one per element, unless the file comes quantised or has operators without a form in integers: then
they are those of its own types. Layers are those that the chip would run, after fusion, in their order.

Where an input and an output look like a state that goes from frame to frame, by name, shape and type, a note on stderr says
which --state to give.

Examples:
  spillway inspect examples/resnet50.model.ts
  spillway inspect examples/yolov3.model.ts --param size=1440
  spillway inspect net.onnx --target chip-a --json
  spillway inspect net.onnx --dot | dot -Tsvg > net.svg
  spillway inspect keyword.onnx --state h0=hn
  spillway inspect examples/fsrcnn.model.ts --min-sram
`;

export function registerInspect(program: Command): void {
  program
    .command('inspect')
    .summary('layers, shapes, MACs and bytes of a model')
    .description('Shows the layers of a model with their sizes, the largest ones, the peak of live bytes, and totals.')
    .argument('<model>', 'a .model.ts, .onnx or .tflite file')
    .option('-p, --param <name=value>', 'set a parameter of a .model.ts file; repeatable', addPair('--param'))
    .option(
      '-i, --input <name=shape>',
      'shape of an input with open dimensions, e.g. x=1x3x640x640; repeatable',
      addShape,
    )
    .option(
      '--state <input=output>',
      'an input of an ONNX file that carries this output over from the frame before; repeatable',
      addPair('--state'),
    )
    .option('-t, --target <target>', 'say for each layer whether this chip computes or moves for longer')
    .option('--min-sram', 'the least SRAM that moves no activation, and the least that compiles at all')
    .option('--dot', 'print the graph as imported for Graphviz, and nothing else')
    .option('--json', 'print one JSON document, and nothing else, on stdout')
    .addHelpText('after', EXAMPLES)
    .action(async (model: string, flags: Flags) => {
      const { readModel } = await import('./import-model.js');
      const { inspectProgram, formatInspection } = await import('./inspection.js');
      const { loadChip } = await import('../target/chip.js');
      const chip = flags.target === undefined ? undefined : loadChip(flags.target);
      const { program: graph, note } = await readModel(model, flags.param ?? new Map(), flags.input, flags.state);
      if (note !== undefined) process.stderr.write(`${model}: ${note}\n`);
      if (flags.dot) {
        const { formatDot, graphOf } = await import('../ir/dot.js');
        process.stdout.write(formatDot(graph.name, graphOf(graph)));
        return;
      }
      const inspection = inspectProgram(graph, chip);
      if (flags.minSram) {
        const { leastSramOf } = await import('./least-sram.js');
        const least = await leastSramOf(
          model,
          flags.param ?? new Map(),
          flags.input ?? new Map(),
          chip?.sram.alignmentBytes ?? DEFAULT_ALIGNMENT_BYTES,
          flags.state,
        );
        const text = `no activation traffic from ${least.withoutActivationTrafficBytes} B of SRAM on; least SRAM that compiles: ${least.thatCompilesBytes} B\n`;
        process.stdout.write(
          flags.json
            ? `${JSON.stringify({ ...inspection, leastSram: least }, null, 2)}\n`
            : `${formatInspection(inspection)}${text}`,
        );
        return;
      }
      process.stdout.write(flags.json ? `${JSON.stringify(inspection, null, 2)}\n` : formatInspection(inspection));
    });
}
