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

/** Buffers with random lifetimes: `ofLength` gives the length of each, from a random fraction. */
function randomBuffers(count: number, steps: number, ofLength: (fraction: number) => number): AllocationBuffer[] {
  let state = 1;
  const random = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) / 2 ** 23;
  };
  return Array.from({ length: count }, (_, index) => {
    const length = Math.max(1, Math.round(ofLength(random())));
    const lower = Math.floor(random() * Math.max(1, steps - length));
    const sizeBytes = 64 * (1 + Math.floor(random() * 1000));
    return { id: `b${index}`, lower, upper: lower + length, sizeBytes };
  });
}

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
  const wide = { capacityBytes, buffers: randomBuffers(10_000, 20_000, (x) => 20_000 * (1 - Math.sqrt(1 - x))) };
  const mixed = { capacityBytes, buffers: randomBuffers(10_000, 20_000, (x) => 5_000 * x ** 8) };
  const small = { capacityBytes, buffers: randomBuffers(300, 400, (x) => 100 * x ** 4) };
  rows.push(measure('10k random, long lives', wide, { minimize: true }, 1));
  rows.push(measure('10k random, mixed lives', mixed, { minimize: true }, 1));
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
