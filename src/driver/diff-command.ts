/** `spillway diff`: two compiled directories, and what is different between them. */
import type { Command } from 'commander';
import type { Delta, ReportDiff, TensorDiff } from './diff.js';

const EXAMPLES = `
Reads report.json of both. Bytes and cycles are those of a frame, so that batches compare; cycles are predicted.

Examples:
  spillway diff out/resnet50-8MiB out/resnet50-4MiB
  spillway diff out/before out/after --json
`;

export function registerDiff(program: Command): void {
  program
    .command('diff')
    .summary('compare two compiled directories')
    .description('Shows which tensors moved, which blocks changed, and the bytes and cycles gained and lost.')
    .argument('<before>', 'a directory that compile wrote')
    .argument('<after>', 'another one')
    .option('--all', 'list every tensor and layer that differs, not only the first ones')
    .option('--json', 'print one JSON document, and nothing else, on stdout')
    .addHelpText('after', EXAMPLES)
    .action(async (before: string, after: string, flags: { readonly all?: true; readonly json?: true }) => {
      const { readReport } = await import('./read-report.js');
      const { diffReports } = await import('./diff.js');
      const diff = diffReports(readReport(before), readReport(after));
      if (flags.json) process.stdout.write(`${JSON.stringify(diff, null, 2)}\n`);
      else process.stdout.write(await formatDiff(diff, before, after, flags.all ? Number.POSITIVE_INFINITY : SHOWN));
    });
}

const SHOWN = 20; // rows of tensors and of layers

/** @param most rows of tensors and of layers */
export async function formatDiff(diff: ReportDiff, before: string, after: string, most = SHOWN): Promise<string> {
  const { formatTable } = await import('./table.js');
  const parts = [`${before} -> ${after}\n`];
  if (diff.settings.length > 0) {
    parts.push(
      diff.settings
        .map((one) => `${one.name}: ${one.before} -> ${one.after}`)
        .join('\n')
        .concat('\n'),
    );
  }
  parts.push(
    formatTable<Delta>(
      [
        { title: 'a frame', align: 'left', cell: ({ name }) => name },
        { title: 'before', align: 'right', cell: (row) => whole(row.before) },
        { title: 'after', align: 'right', cell: (row) => whole(row.after) },
        { title: 'change', align: 'right', cell: ({ delta }) => signed(delta) },
        { title: '%', align: 'right', cell: (row) => change(row) },
      ],
      diff.totals,
    ),
  );
  parts.push(heading('tensors', diff.tensors.length, most, 'are elsewhere or move other bytes'));
  if (diff.tensors.length > 0) {
    parts.push(
      formatTable<TensorDiff>(
        [
          { title: 'tensor', align: 'left', cell: ({ name }) => name },
          { title: 'home', align: 'left', cell: ({ home }) => arrow(home.before, home.after) },
          { title: 'before', align: 'right', cell: ({ trafficBytes }) => whole(trafficBytes.before) },
          { title: 'after', align: 'right', cell: ({ trafficBytes }) => whole(trafficBytes.after) },
          { title: 'change', align: 'right', cell: ({ deltaBytes }) => signed(deltaBytes) },
        ],
        diff.tensors.slice(0, most),
      ),
    );
  }
  parts.push(heading('blocks', diff.blocks.length, Number.POSITIVE_INFINITY, 'changed'));
  parts.push(diff.blocks.map((block) => `${blockName(block.layers)}\n${runs(block.runs)}`).join(''));
  parts.push(heading('layers', diff.layers.length, most, 'run differently or take other bytes or cycles'));
  for (const layer of diff.layers.slice(0, most)) {
    const bytes = signed(layer.trafficBytes.after - layer.trafficBytes.before);
    const cycles = signed(layer.cycles.after - layer.cycles.before);
    parts.push(`${layer.name}: ${bytes} B, ${cycles} cycles\n${runs(layer.runs)}`);
  }
  return parts
    .filter((part) => part !== '')
    .join('\n')
    .replace(/\n\n\n+/g, '\n\n');
}

function heading(noun: string, count: number, most: number, what: string): string {
  if (count === 0) return `no ${noun} ${what}\n`;
  return `${count} ${noun} ${what}${count > most ? `; the first ${most}` : ''}:\n`;
}

/** Nothing where both run the same way. */
function runs({ before, after }: { readonly before: string | null; readonly after: string | null }): string {
  if (before === after) return '';
  return `  - ${before ?? 'not there'}\n  + ${after ?? 'not there'}\n`;
}

function blockName(layers: readonly string[]): string {
  return `${layers[0]} to ${layers.at(-1)} (${layers.length} layers)`;
}

function arrow(before: string | null, after: string | null): string {
  return before === after ? (before ?? '') : `${before ?? 'none'} -> ${after ?? 'none'}`;
}

const whole = (value: number): string => String(Math.round(value));

function signed(value: number): string {
  const rounded = Math.round(value);
  return rounded > 0 ? `+${rounded}` : String(rounded);
}

function change({ before, delta }: Delta): string {
  if (delta === 0) return '';
  if (before === 0) return 'new';
  return `${delta > 0 ? '+' : ''}${((100 * delta) / before).toFixed(1)}`;
}
