/**
 * npm run bench [-- --filter TEXT] [-- --repeat N] [-- --targets] [-- --sweep] [-- --timing]: DRAM traffic, bounds, compile time and memory, each case in a process of its
 * own. Writes out/bench.json. Times are those of the whole process; of repeated runs the least counts.
 *
 * A plain script: it drives the built command line as users do, and shares no code with what it measures.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { simulateBench } from './simulate-bench.mjs';

if (process.argv.includes('--timing')) {
  await import('./timing.mjs');
  process.exit();
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const shared = fileURLToPath(new URL('../../../shared/models/', import.meta.url));
const measure = fileURLToPath(new URL('measure-cli.mjs', import.meta.url));

const option = (name, otherwise) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? otherwise : (process.argv[at + 1] ?? otherwise);
};
const filter = option('--filter', '');
const repeats = Math.max(1, Number(option('--repeat', '2')));

const CHIPS = ['chip-a', 'chip-b', 'chip-c', 'chip-1m', 'chip-512k'];
const NETWORKS = [
  ['resnet50', 'examples/resnet50.model.ts'],
  ['mobilenet-v2', 'examples/mobilenet-v2.model.ts'],
  ['vgg19', 'examples/vgg19.model.ts'],
  ['fsrcnn', 'examples/fsrcnn.model.ts'],
  ['yolov3-416', 'examples/yolov3.model.ts', '--param', 'size=416'],
  ['yolov3-608', 'examples/yolov3.model.ts', '--param', 'size=608'],
  ['yolov3-1440', 'examples/yolov3.model.ts', '--param', 'size=1440'],
  ...[
    'light_resnet50',
    'light_squeezenet',
    'light_shufflenet',
    'light_inception_v1',
    'yolov3_seeded_416x416_f32',
    'efficientnet_lite0_seeded_224_f32',
    'yolo_fastest_1.1_coco_320x320_f32',
    'ultraface_slim_320',
  ].map((name) => [name, `${shared}${name}.onnx`]),
];

/** Cases beside the grid: other SRAM sizes, batches. Name, chip, model, options. */
const EXTRA = [
  ['resnet50 batch 10', 'chip-a', 'examples/resnet50.model.ts', '--batch', '10'],
  ['resnet50 batch 10', 'chip-b', 'examples/resnet50.model.ts', '--batch', '10'],
  ['vgg19 in 2 MiB', 'chip-a', 'examples/vgg19.model.ts', '--sram', '2MiB'],
  // How compile time grows: 330 bottlenecks, and 334 rounds of three small layers.
  ['990 layers, residual', 'chip-a', 'test/bench/residual.model.ts'],
  ['990 layers, residual', 'chip-1m', 'test/bench/residual.model.ts'],
  ['1002 small layers', 'chip-a', 'test/bench/small-layers.model.ts'],
  ['1002 small layers', 'chip-1m', 'test/bench/small-layers.model.ts'],
];

/** MB a frame, code included: what must be reached, and what would be better still. `npm run bench -- --targets` runs these alone. */
const TARGETS = new Map([
  ['resnet50 chip-a', [18.2, 17.7]],
  ['resnet50 chip-b', [0.17]],
  ['resnet50 chip-c', [0.17]],
  ['resnet50 chip-1m', [27.0, 26.2]],
  ['resnet50 chip-512k', [33, 30]],
  ['resnet50 batch 10 chip-a', [2.75, 2.6]],
  ['resnet50 batch 10 chip-b', [0.162]],
  ['vgg19 in 2 MiB chip-a', [143.4, 142.8]],
  ['vgg19 chip-1m', [168]],
  ['vgg19 chip-b', [78.5, 77.8]],
  ['light_squeezenet chip-1m', [0.5, 0.42]],
  ['light_squeezenet chip-512k', [1.25, 1.1]],
  ['light_inception_v1 chip-1m', [6.4]],
  ['light_inception_v1 chip-512k', [9.8]],
  ['yolov3-416 chip-a', [57.0, 56.4]],
  ['yolov3-608 chip-a', [60.3, 59.5]],
  ['yolov3-1440 chip-a', [115, 95]],
  ['yolov3-1440 chip-b', [29.5, 25]],
  ['fsrcnn chip-1m', [8.85, 8.834]],
]);
const onlyTargets = process.argv.includes('--targets');

/** Seconds of a whole compile, on a machine with nothing else to do. */
const MOST_SECONDS = [
  [/resnet50/, 6],
  [/inception_v1/, 15],
  [/yolov3/, 30],
  [/^990|^1002/, 60],
];

mkdirSync(`${root}out`, { recursive: true });

function run(args) {
  const usageFile = `${root}out/bench-usage.json`;
  const started = performance.now();
  const done = spawnSync(process.execPath, [measure, usageFile, ...args], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  const seconds = (performance.now() - started) / 1000;
  if (done.status !== 0) return { seconds, error: `exit code ${done.status}: ${done.stderr.split('\n', 1)[0]}` };
  const usage = JSON.parse(readFileSync(usageFile, 'utf8'));
  return { seconds, ...usage, document: JSON.parse(done.stdout) };
}

/** Of several runs, the one that took least. */
function best(args, times) {
  let least;
  for (let i = 0; i < times; i += 1) {
    const one = run(args);
    if (one.error !== undefined) return one;
    if (least === undefined || one.seconds < least.seconds) least = one;
  }
  return least;
}

function benchCase(name, chip, model, args) {
  const directory = `${root}out/bench-case`;
  const compiled = best(['compile', model, '-t', chip, ...args, '-o', directory, '--json'], repeats);
  if (compiled.error !== undefined) return { name, chip, error: compiled.error };
  const compared = run(['compare', model, '-t', chip, ...args, '--json']);
  const simulated = run(['simulate', directory, '--timing-only', '--json']);
  rmSync(directory, { recursive: true, force: true });
  const error = compared.error ?? simulated.error;
  if (error !== undefined) return { name, chip, error };
  const [none, greedy, ilp] = compared.document.rows.map((row) => row.perFrameBytes);
  const { document } = compiled;
  const frames = document.batch;
  const counted = simulated.document.dramReadBytes + simulated.document.dramWriteBytes;
  const [must, stretch] = TARGETS.get(`${name} ${chip}`) ?? [];
  return {
    name,
    chip,
    noneBytes: none,
    greedyBytes: greedy,
    ilpBytes: document.perFrameBytes,
    compulsoryBytes: document.bound.compulsoryBytes / frames,
    crossingBytes: document.bound.crossingBytes / frames,
    solverBytes: document.bound.solverBytes === null ? null : document.bound.solverBytes / frames,
    gap: document.bound.gap,
    mustBytes: must === undefined ? null : must * 1e6,
    stretchBytes: stretch === undefined ? null : stretch * 1e6,
    status: document.solver.status,
    seconds: compiled.seconds,
    cpuSeconds: compiled.cpuSeconds,
    peakBytes: compiled.peakBytes,
    simulateSeconds: simulated.seconds,
    cyclesEstimated: document.timing.cycles,
    cyclesSimulated: simulated.document.cycles,
    problems: [
      ...(counted === document.period.totalBytes ? [] : ['simulated bytes differ']),
      ...(simulated.document.faults.length === 0 ? [] : ['faults']),
      ...(ilp <= greedy && greedy <= none ? [] : ['not ilp <= greedy <= none']),
      ...MOST_SECONDS.flatMap(([names, most]) =>
        names.test(name) && compiled.seconds > most ? [`over ${most} s`] : [],
      ),
      ...(must === undefined || document.perFrameBytes <= must * 1e6 ? [] : [`above ${must} MB`]),
    ],
  };
}

const mb = (bytes) => (bytes == null ? '-' : (bytes / 1e6).toFixed(bytes < 1e6 ? 4 : 3));
const COLUMNS = [
  ['network', 34, (r) => r.name],
  ['chip', -10, (r) => r.chip],
  ['none', 10, (r) => mb(r.noneBytes)],
  ['greedy', 10, (r) => mb(r.greedyBytes)],
  ['ilp', 10, (r) => mb(r.ilpBytes)],
  ['bound', 10, (r) => mb(r.compulsoryBytes)],
  ['crossing', 10, (r) => mb(r.crossingBytes)],
  ['solver', 10, (r) => mb(r.solverBytes)],
  ['gap %', 7, (r) => (r.gap == null ? '-' : (100 * r.gap).toFixed(2))],
  ['ilp/cross', 10, (r) => (r.ilpBytes / r.crossingBytes).toFixed(3)],
  ['ilp/greedy', 11, (r) => (r.ilpBytes / r.greedyBytes).toFixed(3)],
  ['must', 8, (r) => mb(r.mustBytes)],
  ['stretch', 9, (r) => mb(r.stretchBytes)],
  ['s', 7, (r) => r.seconds.toFixed(1)],
  ['CPU s', 7, (r) => r.cpuSeconds.toFixed(1)],
  ['MB RSS', 7, (r) => (r.peakBytes / 1e6).toFixed(0)],
  ['cycles est/sim', 15, (r) => (r.cyclesEstimated / r.cyclesSimulated).toFixed(2)],
  [
    '',
    -1,
    (r) => ` ${[r.status === 'optimal' ? '' : r.status, ...r.problems].filter((text) => text !== '').join('; ')}`,
  ],
];
const pad = (text, width) => (width < 0 ? ` ${text.padEnd(-width - 1)}` : text.padStart(width));
const line = (cell) => COLUMNS.map((column) => pad(cell(column), column[1])).join('');

const rows = [];
console.log('MB (1e6 bytes) of DRAM traffic a frame, int8, code included\n');
console.log(line((column) => column[0]));
const CASES = [...NETWORKS.flatMap(([name, ...rest]) => CHIPS.map((chip) => [name, chip, ...rest])), ...EXTRA];
const absent = new Set();
for (const [name, chip, model, ...args] of CASES) {
  if (!`${name} ${chip}`.includes(filter)) continue;
  if (onlyTargets && !TARGETS.has(`${name} ${chip}`)) continue;
  if (existsSync(model.startsWith('/') ? model : `${root}${model}`)) {
    const row = benchCase(name, chip, model, args);
    rows.push(row);
    console.log(
      row.error === undefined ? line((column) => column[2](row)) : `${name.padStart(34)} ${chip} ${row.error}`,
    );
  } else if (!absent.has(name)) {
    absent.add(name);
    console.log(`${name.padStart(34)} is not there: left out`);
  }
}

/** Figures of one model that are no traffic: what they are, how they are found, and what they must not exceed. */
const figures = [];
const leastSram = (document) => document.leastSram.withoutActivationTrafficBytes;
// Alwani et al., MICRO 2016, in float32, with all weights resident and little room beside them.
const ALWANI = 'compile examples/vgg-first-five.model.ts -t chip-a --sram 2440000 --dtype float32 --json'.split(' ');
const FIGURES = [
  {
    name: 'fsrcnn: least SRAM without activation traffic',
    args: ['inspect', 'examples/fsrcnn.model.ts', '--min-sram', '--json'],
    value: leastSram,
    mustBytes: 600000,
    stretchBytes: 400000,
  },
  {
    name: 'first five layers of VGG: feature traffic',
    args: ALWANI,
    value: ({ period }) => period.byClass.activations + period.byClass.input + period.byClass.output,
    mustBytes: 3813376,
    stretchBytes: 3813376,
  },
  {
    name: 'first five layers of VGG: feature buffers for that',
    args: ALWANI,
    value: ({ sram }) => sram.featureBytes,
    mustBytes: 362000,
    stretchBytes: 354084,
  },
];
for (const { name, args, value, mustBytes, stretchBytes } of FIGURES) {
  if (!name.includes(filter)) continue;
  const { document, seconds, error } = run([
    ...args,
    ...(args[0] === 'compile' ? ['-o', `${root}out/bench-case`] : []),
  ]);
  const bytes = error === undefined ? value(document) : undefined;
  const problems = bytes === undefined || bytes <= mustBytes ? [] : [`above ${mustBytes} B`];
  figures.push({ name, bytes, mustBytes, stretchBytes, seconds, problems, ...(error === undefined ? {} : { error }) });
  console.log(
    `${name.padEnd(52)} ${error ?? `${bytes} B; must ${mustBytes}, stretch ${stretchBytes}`} ${problems.join()}`,
  );
}

/** Traffic over sizes of SRAM, two to an octave: with more of it never more. */
const sweep = [];
if (process.argv.includes('--sweep')) {
  for (const [name, ...model] of NETWORKS.filter(([network]) => network === 'resnet50' || network === 'yolov3-608')) {
    let before = Number.POSITIVE_INFINITY;
    for (let octave = 18; octave <= 28; octave += 0.5) {
      const sramBytes = Math.floor(2 ** octave / 64) * 64;
      const args = [
        'compile',
        ...model,
        '-t',
        'chip-a',
        '--sram',
        String(sramBytes),
        '-o',
        `${root}out/bench-case`,
        '--json',
      ];
      const { document, seconds, error } = run(args);
      const bytes = document?.period.totalBytes;
      const problems = error !== undefined ? [error] : bytes > before ? ['more than in less SRAM'] : [];
      sweep.push({ name, sramBytes, bytes, crossingBytes: document?.bound.crossingBytes, seconds, problems });
      console.log(
        `${name.padEnd(12)} ${String(sramBytes).padStart(10)} B ${mb(bytes).padStart(10)} MB ${problems.join()}`,
      );
      before = Math.min(before, bytes ?? before);
    }
  }
}

const chain = [];
if ('chain'.includes(filter) && !onlyTargets) {
  console.log('\ncompile time of a chain of convolutions, whole process; exponent: 2 is quadratic');
  for (const layers of [250, 500, 1000]) {
    const args = ['compile', 'test/bench/chain.model.ts', '-t', 'chip-512k', '--param', `layers=${layers}`, '--json'];
    const one = best(args, repeats);
    if (one.error !== undefined) {
      console.log(`${layers} layers: ${one.error}`);
      chain.push({ layers, error: one.error });
      continue;
    }
    const before = chain.at(-1);
    const exponent = before === undefined ? undefined : Math.log2(one.cpuSeconds / before.cpuSeconds);
    chain.push({ layers, seconds: one.seconds, cpuSeconds: one.cpuSeconds, peakBytes: one.peakBytes, exponent });
    const growth = exponent === undefined ? '' : `, exponent ${exponent.toFixed(2)}`;
    console.log(
      `${String(layers).padStart(6)} layers  ${one.seconds.toFixed(1)} s, ${one.cpuSeconds.toFixed(1)} s of CPU, ${(one.peakBytes / 1e6).toFixed(0)} MB${growth}`,
    );
  }
}

/** Simulation with data: seconds of both kinds of kernels, side by side. */
const data = [];
if ('data'.includes(filter) && !onlyTargets) data.push(...simulateBench(run, repeats, root));

const allocator = [];
if ('allocator'.includes(filter) && !onlyTargets) {
  const { allocatorBench, formatAllocatorBench } = await import('../../dist/test/bench/allocator.bench.js');
  allocator.push(...allocatorBench(repeats, new URL('../../../shared/bench/minimalloc/', import.meta.url)));
  console.log(`\n${formatAllocatorBench(allocator)}`);
}

writeFileSync(
  `${root}out/bench.json`,
  `${JSON.stringify({ rows, figures, sweep, chain, data, allocator }, null, 2)}\n`,
);
const bad = [...rows, ...figures, ...sweep, ...chain, ...data].filter(
  (row) => row.error !== undefined || (row.problems ?? []).length > 0,
);
console.log(
  `\n${rows.length + figures.length + sweep.length} cases, ${bad.length} with problems; written to out/bench.json`,
);
process.exitCode = bad.length === 0 ? 0 : 1;
