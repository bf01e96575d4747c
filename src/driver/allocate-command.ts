/** `spillway allocate`: offsets for the buffers of a CSV file, as MiniMalloc reads and writes it. */
import type { Command } from 'commander';
import { SpillwayError } from '../base/diagnostic.js';
import type { AllocationProblem, AllocationResult } from '../solver/allocator/problem.js';
import { bytesFrom, integerFrom, usageError } from './command-options.js';

interface Flags {
  readonly capacity?: number;
  readonly output?: string;
  readonly minimize?: true;
  readonly svg?: string;
  readonly json?: true;
  readonly nodeLimit?: number;
}

const HELP = `
The file has a header and a line for each buffer; columns in any order:
  id,lower,upper,size          needed; live during [lower, upper), which is half-open
  alignment                    the offset is a multiple of it
  gaps                         windows of the life without content, e.g. "8-12 14-16"
  offset                       fixes the buffer there; empty where it is free
  begin, end                   instead of lower and upper; end is the last step, inclusive, and so are the ends of gaps
  hint                         an offset to try first

The output has the same buffers in the same order, with their offsets. --node-limit counts the steps of the search, so that
the answer does not depend on the machine.

Examples:
  spillway allocate buffers.csv --capacity 1MiB -o placed.csv
  spillway allocate buffers.csv --capacity 1048576 --minimize --svg plan.svg
  spillway allocate buffers.csv --capacity 512KiB --json

Exit codes: 0 the buffers fit, 1 the file is at fault, 2 usage, 3 they do not fit (or it was not settled within the node
limit), 70 a bug of ours.
`;

export function registerAllocate(program: Command): void {
  program
    .command('allocate')
    .summary('place the buffers of a CSV file in a memory of given size')
    .description('Gives each buffer of a CSV file an offset, so that no two that are live together share a byte.')
    .argument('<file>', 'a CSV file: id,lower,upper,size and optionally alignment,gaps,offset,hint')
    .option(
      '-c, --capacity <bytes>',
      'needed: size of the memory, e.g. 1048576, 512KiB or 8MiB',
      bytesFrom('--capacity'),
    )
    .option('-o, --output <file>', 'write the buffers with their offsets; without it they go to stdout')
    .option('--minimize', 'find the least height, not just one that fits')
    .option('--svg <file>', 'write a picture of the plan')
    .option('--json', 'print one JSON document, and nothing else, on stdout')
    .option('--node-limit <n>', 'most steps of the search (default: 400000)', integerFrom('--node-limit', 0))
    .addHelpText('after', HELP)
    .action(async (file: string, flags: Flags) => {
      if (flags.capacity === undefined) throw usageError('--capacity is needed', 'for example: --capacity 1MiB');
      await run(file, flags.capacity, flags);
    });
}

async function run(file: string, capacityBytes: number, flags: Flags): Promise<void> {
  const { allocate } = await import('../solver/allocator/allocate.js');
  const { checkOffsets } = await import('../solver/allocator/check.js');
  const { parseAllocationCsv } = await import('../solver/allocator/csv.js');
  const { readInputFile } = await import('./read-file.js');
  const buffers = parseAllocationCsv(new TextDecoder().decode(readInputFile(file)), file);
  const problem: AllocationProblem = { capacityBytes, buffers };
  const result = allocate(problem, {
    ...(flags.minimize === undefined ? {} : { minimize: true }),
    ...(flags.nodeLimit === undefined ? {} : { nodeLimit: flags.nodeLimit }),
  });
  const fits = result.status === 'fits' || result.status === 'optimal';
  const faults = fits ? checkOffsets(problem, result.offsets) : [];
  if (faults.length > 0) throw new Error(`the plan is not sound: ${faults.slice(0, 3).join('; ')}`);
  if (flags.json) process.stdout.write(`${JSON.stringify(jsonOf(problem, result), null, 2)}\n`);
  if (fits) await writePlan(problem, result, flags);
  if (!fits) throw notFitting(file, problem, result, await heightThatFits(problem, result));
  process.stderr.write(`${summaryOf(problem, result)}\n`);
}

async function writePlan(problem: AllocationProblem, result: AllocationResult, flags: Flags): Promise<void> {
  const { writeAllocationCsv } = await import('../solver/allocator/csv.js');
  const { writeOneFile } = await import('./write-one-file.js');
  const csv = writeAllocationCsv(problem.buffers, result.offsets);
  if (flags.output !== undefined) writeOneFile(flags.output, csv);
  else if (flags.json === undefined) process.stdout.write(csv);
  if (flags.svg === undefined) return;
  const { allocationSvg } = await import('../solver/allocator/svg.js');
  const svg = allocationSvg(problem, result.offsets, result.heightBytes);
  writeOneFile(flags.svg, svg);
}

function jsonOf(problem: AllocationProblem, result: AllocationResult): object {
  const fits = result.heightBytes <= problem.capacityBytes && result.status !== 'infeasible';
  return {
    schema: 'spillway-allocation/1',
    status: result.status,
    capacityBytes: problem.capacityBytes,
    heightBytes: result.heightBytes,
    loadBytes: result.loadBytes,
    boundBytes: result.boundBytes,
    provenOptimal: result.provenOptimal,
    nodes: result.nodes,
    conflict: result.conflict ?? null,
    buffers: problem.buffers.map((buffer) => ({
      id: buffer.id,
      sizeBytes: buffer.sizeBytes,
      offsetBytes: fits ? (result.offsets.get(buffer.id) ?? null) : null,
    })),
  };
}

function summaryOf(problem: AllocationProblem, result: AllocationResult): string {
  const gapPercent = result.boundBytes === 0 ? 0 : (result.heightBytes / result.boundBytes - 1) * 100;
  const proof = result.provenOptimal ? 'proven least' : `at most ${gapPercent.toFixed(2)} % above the least`;
  const height = `height ${result.heightBytes} of ${problem.capacityBytes} B (${proof})`;
  return `${problem.buffers.length} buffers: ${height}, load ${result.loadBytes} B, ${result.nodes} nodes`;
}

/** A capacity that would do: near the least, without a long search. */
async function heightThatFits(problem: AllocationProblem, result: AllocationResult): Promise<number> {
  const { allocate } = await import('../solver/allocator/allocate.js');
  if (result.offsets.size === 0) return 0; // fixed buffers clash: no capacity helps
  const roomy = { ...problem, capacityBytes: result.heightBytes };
  return allocate(roomy, { minimize: true, nodeLimit: 20_000 }).heightBytes;
}

function notFitting(
  file: string,
  problem: AllocationProblem,
  result: AllocationResult,
  enoughBytes: number,
): SpillwayError {
  const { capacityBytes } = problem;
  const loc = { file };
  if (result.status === 'budget') {
    const gapPercent = ((enoughBytes / result.boundBytes - 1) * 100).toFixed(2);
    const best = `the best needs ${enoughBytes} B, ${gapPercent} % above the bound of ${result.boundBytes} B (load ${result.loadBytes} B)`;
    const message = `no plan within ${capacityBytes} B was found in ${result.nodes} nodes; ${best}`;
    const hint = `it is not proven that none exists: raise --node-limit, or give ${enoughBytes} B`;
    return new SpillwayError([{ code: 'SW6005', blame: 'target', message, loc, hint }]);
  }
  const conflict = result.conflict ?? [];
  const shown = conflict.slice(0, 20).join(', ') + (conflict.length > 20 ? ', ...' : '');
  const together = `these ${conflict.length} cannot live together: ${shown}`;
  const message = `the buffers do not fit in ${capacityBytes} B (load ${result.loadBytes} B); ${together}`;
  const hint = enoughBytes > capacityBytes ? `they fit in ${enoughBytes} B` : undefined;
  return new SpillwayError([
    { code: 'SW6004', blame: 'target', message, loc, ...(hint === undefined ? {} : { hint }) },
  ]);
}
