/** `spillway targets`: the chips that come with Spillway, or one of them with the source of every number. */
import type { Command } from 'commander';
import type { Chip } from '../target/chip.js';

const EXAMPLES = `
Examples:
  spillway targets
  spillway targets chip-a
  spillway targets ./my-chip.json        checks a chip file of your own
`;

export function registerTargets(program: Command): void {
  program
    .command('targets')
    .summary('list the chips, or show one')
    .description('Lists the chips in targets/, or shows one chip with the source of each of its numbers.')
    .argument('[name]', 'a chip in targets/, or the path of a chip file')
    .option('--json', 'print one JSON document, and nothing else, on stdout')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string | undefined, flags: { readonly json?: true }) => {
      const { listChips, loadChip } = await import('../target/chip.js');
      const chips = name === undefined ? listChips().map((chip) => loadChip(chip)) : [loadChip(name)];
      if (flags.json) {
        const document = name === undefined ? { targets: chips } : chips[0];
        process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
        return;
      }
      const [only] = chips;
      process.stdout.write(
        name === undefined || only === undefined ? await formatChips(chips) : await formatChip(only),
      );
    });
}

async function formatChips(chips: readonly Chip[]): Promise<string> {
  const { binarySize, formatTable } = await import('./table.js');
  return formatTable<Chip>(
    [
      { title: 'target', align: 'left', cell: (chip) => chip.name },
      { title: 'SRAM', align: 'right', cell: (chip) => binarySize(chip.sram.bytes) },
      { title: 'DRAM', align: 'right', cell: (chip) => `${(chip.dram.bytesPerSecond / 1e9).toFixed(1)} GB/s` },
      { title: 'MACs', align: 'right', cell: (chip) => `${chip.mac.rows}x${chip.mac.columns}` },
      { title: 'clock', align: 'right', cell: (chip) => `${chip.clockHz / 1e6} MHz` },
      {
        title: 'SRAM area',
        align: 'right',
        cell: (chip) => `${((chip.sram.areaMm2PerMiB * chip.sram.bytes) / 2 ** 20).toFixed(1)} mm2`,
      },
      { title: 'what it is', align: 'left', cell: (chip) => chip.description ?? '' },
    ],
    chips,
  );
}

async function formatChip(chip: Chip): Promise<string> {
  const { CHIP_NUMBERS, chipNumber } = await import('../target/chip.js');
  const { formatTable } = await import('./table.js');
  const rows = CHIP_NUMBERS.flatMap((path) => {
    const value = chipNumber(chip, path);
    return value === undefined ? [] : [{ path, value: String(value), source: chip.sources[path] ?? '' }];
  });
  const table = formatTable<(typeof rows)[number]>(
    [
      { title: 'number', align: 'left', cell: (row) => row.path },
      { title: 'value', align: 'right', cell: (row) => row.value },
      { title: 'source', align: 'left', cell: (row) => row.source },
    ],
    rows,
  );
  return `${chip.name}: ${chip.description ?? ''}\n\n${table}`;
}
