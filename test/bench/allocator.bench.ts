/**
 * Measures the allocator: the published hard problems, least heights, and ten thousand random buffers. CPU time of this
 * process, median of repeats. Built with src; `npm run bench -- --filter allocator` runs it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { allocate } from '../../src/solver/allocator/allocate.js';
import { checkOffsets } from '../../src/solver/allocator/check.js';
import { parseAllocationCsv } from '../../src/solver/allocator/csv.js';
import type { AllocationBuffer, AllocationOptions, AllocationProblem } from '../../src/solver/allocator/problem.js';

export interface AllocatorBenchRow {
  readonly name: string;
  readonly buffers: number;
  readonly status: string;
  readonly heightBytes: number;
  readonly loadBytes: number;
  readonly overLoadPercent: number;
  readonly nodes: number;
  readonly cpuMilliseconds: number;
  readonly sound: boolean;
}

const CAPACITY_BYTES = 1048576;

function measure(
  name: string,
  problem: AllocationProblem,
  options: AllocationOptions,
  repeats: number,
): AllocatorBenchRow {
  const times: number[] = [];
  let result = allocate({ capacityBytes: 0, buffers: [] });
  for (let repeat = 0; repeat < repeats; repeat++) {
    const before = process.cpuUsage();
    result = allocate(problem, options);
    const used = process.cpuUsage(before);
    times.push((used.user + used.system) / 1000);
  }
  times.sort((a, b) => a - b);
  return {
    name,
    buffers: problem.buffers.length,
    status: result.status,
    heightBytes: result.heightBytes,
    loadBytes: result.loadBytes,
    overLoadPercent: result.loadBytes === 0 ? 0 : (result.heightBytes / result.loadBytes - 1) * 100,
    nodes: result.nodes,
    cpuMilliseconds: times[times.length >> 1] ?? 0,
    sound: checkOffsets(problem, result.offsets).length === 0,
  };
}

type Random = () => number;

/** Buffers with random lifetimes: lengths and sizes are drawn, starts are uniform. */
function randomBuffers(
  count: number,
  steps: number,
  lengthOf: (random: Random) => number,
  sizeOf: (random: Random) => number = (random) => 64 * (1 + Math.floor(random() * 1000)),
  seed = 1,
): AllocationBuffer[] {
  let state = seed;
  const random = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) / 2 ** 23;
  };
  return Array.from({ length: count }, (_, index) => {
    const length = Math.min(steps, Math.max(1, Math.round(lengthOf(random))));
    const lower = Math.floor(random() * Math.max(1, steps - length));
    return { id: `b${index}`, lower, upper: lower + length, sizeBytes: Math.max(1, Math.round(sizeOf(random))) };
  });
}

const upTo =
  (most: number) =>
  (random: Random): number =>
    1 + random() * (most - 1);
/** Heavy-tailed, with this least value and exponent. */
const pareto =
  (exponent: number, least: number) =>
  (random: Random): number =>
    least * (1 - random()) ** (-1 / exponent);
const either =
  (share: number, one: (random: Random) => number, other: (random: Random) => number) =>
  (random: Random): number =>
    (random() < share ? one : other)(random);

/** Ten thousand buffers each: name, lengths of lives, sizes. */
const MIXES: readonly [string, (random: Random) => number, (random: Random) => number][] = [
  ['long lives', (r) => 20_000 * (1 - Math.sqrt(1 - r())), upTo(65_536)],
  ['uniform', upTo(20_000), upTo(65_536)],
  ['medium lives', upTo(2_000), upTo(65_536)],
  ['short lives', upTo(200), upTo(65_536)],
  ['exponential lives', (r) => -500 * Math.log(1 - r()), upTo(65_536)],
  ['heavy-tailed lives', pareto(1.1, 10), upTo(65_536)],
  ['heavy-tailed sizes', upTo(2_000), pareto(1.2, 256)],
  ['sizes over decades', upTo(2_000), (r) => 64 * 2 ** (14 * r())],
  ['powers of two', upTo(2_000), (r) => 64 << Math.floor(r() * 12)],
  [
    'two kinds',
    either(0.8, upTo(50), (r) => 2_000 + r() * 8_000),
    either(0.9, upTo(4_096), (r) => 131_072 * (1 + r())),
  ],
  ['equal lives', () => 500, upTo(65_536)],
];

/**
 * @param repeats of each measurement; the large ones run once
 * @param folder with the published problems; what is not there is left out
 */
export function allocatorBench(
  repeats = 3,
  folder: URL = new URL('../../../shared/bench/minimalloc/', import.meta.url),
): AllocatorBenchRow[] {
  const rows: AllocatorBenchRow[] = [];
  const load = (name: string): AllocationProblem | undefined => {
    const file = new URL(`${name}.${CAPACITY_BYTES}.csv`, folder);
    if (!existsSync(file)) return undefined;
    return { capacityBytes: CAPACITY_BYTES, buffers: parseAllocationCsv(readFileSync(file, 'utf8'), file.pathname) };
  };
  for (const name of 'ABCDEFGHIJK') {
    const problem = load(name);
    if (problem !== undefined) rows.push(measure(name, problem, {}, repeats));
  }
  for (const name of 'CDJ') {
    const problem = load(name);
    if (problem !== undefined) rows.push(measure(`${name} least`, problem, { minimize: true, nodeLimit: 30_000 }, 1));
  }
  const capacityBytes = 2 ** 40;
  for (const [name, lengthOf, sizeOf] of MIXES) {
    const buffers = randomBuffers(10_000, 20_000, lengthOf, sizeOf);
    rows.push(measure(`10k, ${name}`, { capacityBytes, buffers }, { minimize: true }, 1));
    if (name !== 'medium lives') continue;
    const aligned = buffers.map((buffer) => ({ ...buffer, alignmentBytes: 64 }));
    rows.push(measure('10k, aligned to 64', { capacityBytes, buffers: aligned }, { minimize: true }, 1));
  }
  const small = { capacityBytes, buffers: randomBuffers(300, 400, (random) => 100 * random() ** 4) };
  rows.push(measure('300 random, first plan', small, {}, repeats * 3));
  return rows;
}

export function formatAllocatorBench(rows: readonly AllocatorBenchRow[]): string {
  const line = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(24) : cell.padStart(i === 2 ? 11 : 12))).join('');
  const lines = [line(['problem', 'buffers', 'status', 'height B', 'over load %', 'nodes', 'CPU ms', 'sound'])];
  for (const row of rows) {
    const { name, buffers, status, heightBytes, overLoadPercent, nodes, cpuMilliseconds, sound } = row;
    const numbers = [String(heightBytes), overLoadPercent.toFixed(3), String(nodes), cpuMilliseconds.toFixed(1)];
    lines.push(line([name, String(buffers), status, ...numbers, sound ? 'yes' : 'NO']));
  }
  const hard = rows.filter((row) => row.name.length === 1);
  const sum = hard.reduce((total, row) => total + row.cpuMilliseconds, 0);
  if (hard.length > 0) lines.push(`sum of the ${hard.length} published problems: ${(sum / 1000).toFixed(2)} CPU s`);
  return `${lines.join('\n')}\n`;
}
