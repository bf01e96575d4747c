/**
 * npm run bench -- --timing [--filter TEXT]: simulated cycles of the plans for traffic and for latency, beside the floors of the time
 * and beside what was predicted. Writes out/bench-timing.json. A plain script, as bench.mjs is.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const at = process.argv.indexOf('--filter');
const filter = at < 0 ? '' : (process.argv[at + 1] ?? '');

const CHIPS = ['chip-a', 'chip-b', 'chip-c', 'chip-1m', 'chip-512k'];
const CASES = [
  ['tiny'],
  ['resnet50'],
  ['resnet50', '--batch', '10'],
  ['mobilenet-v2'],
  ['vgg19'],
  ['vgg-first-five'],
  ['fsrcnn'],
  ['yolov3', '--param', 'size=416'],
  ['yolov3', '--param', 'size=1440'],
];
/** Of the larger floor, at most: yolov3 at two megapixels on the chips of the article. */
const MOST_OF_FLOOR = 1.15;
const MOST_OFF = 0.05;
const directory = `${root}out/bench-timing-case`;

function run(args) {
  const done = spawnSync(process.execPath, ['dist/src/cli.js', ...args, '--json'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (done.status !== 0) throw new Error(`exit code ${done.status}: ${done.stderr.split('\n', 1)[0]}`);
  return JSON.parse(done.stdout);
}

/** Predicted and simulated cycles of one plan. */
function measure(model, chip, args, objective) {
  const report = run(['compile', model, '-t', chip, '--objective', objective, ...args, '-o', directory]);
  const simulated = run(['simulate', directory, '--timing-only']);
  rmSync(directory, { recursive: true, force: true });
  return { report, cycles: simulated.cycles, faults: simulated.faultCount };
}

function benchCase(name, chip, args) {
  const model = `examples/${name}.model.ts`;
  const traffic = measure(model, chip, args, 'traffic');
  const latency = measure(model, chip, args, 'latency');
  const { floors } = latency.report.timing;
  const floor = Math.max(floors.computeCycles, floors.compulsoryCycles);
  const off = Math.max(...[traffic, latency].map(({ report, cycles }) => Math.abs(report.timing.cycles / cycles - 1)));
  const greedy = latency.report.plans.find(({ plan }) => plan === 'greedy');
  const isTarget = args.includes('size=1440') && /^chip-[abc]$/.test(chip);
  return {
    name: [name, ...args.slice(1)].join(' '),
    chip,
    ...floors,
    trafficCycles: traffic.cycles,
    latencyCycles: latency.cycles,
    greedyCycles: greedy?.cycles ?? null, // predicted
    plan: latency.report.plans.find(({ isChosen }) => isChosen)?.plan ?? '',
    off,
    ofFloor: latency.cycles / floor,
    problems: [
      ...(traffic.faults + latency.faults === 0 ? [] : ['faults']),
      ...(off <= MOST_OFF ? [] : [`predicted ${(100 * off).toFixed(1)} % off`]),
      ...(latency.cycles <= traffic.cycles ? [] : ['slower than for traffic']),
      ...(isTarget && latency.cycles > MOST_OF_FLOOR * floor ? [`above ${MOST_OF_FLOOR} of the floor`] : []),
    ],
  };
}

const million = (cycles) => (cycles === null ? '-' : (cycles / 1e6).toFixed(3));
const COLUMNS = [
  ['network', 22, (r) => r.name],
  ['chip', -10, (r) => r.chip],
  ['compute', 10, (r) => million(r.computeCycles)],
  ['compulsory', 11, (r) => million(r.compulsoryCycles)],
  ['traffic', 10, (r) => million(r.trafficCycles)],
  ['greedy', 10, (r) => million(r.greedyCycles)],
  ['latency', 10, (r) => million(r.latencyCycles)],
  ['/ floor', 9, (r) => r.ofFloor.toFixed(3)],
  ['off %', 8, (r) => (100 * r.off).toFixed(3)],
  ['', -1, (r) => ` ${[r.plan, ...r.problems].join('; ')}`],
];
const pad = (text, width) => (width < 0 ? ` ${text.padEnd(-width - 1)}` : text.padStart(width));
const line = (cell) => COLUMNS.map((column) => pad(cell(column), column[1])).join('');

mkdirSync(`${root}out`, { recursive: true });
console.log('Million cycles a period: two floors, the plan for traffic, greedy (predicted), the plan for latency\n');
console.log(line((column) => column[0]));
const rows = [];
for (const [name, ...args] of CASES) {
  for (const chip of CHIPS) {
    if (!`${[name, ...args].join(' ')} ${chip}`.includes(filter)) continue;
    try {
      const row = benchCase(name, chip, args);
      rows.push(row);
      console.log(line((column) => column[2](row)));
    } catch (error) {
      rows.push({ name, chip, problems: [error.message] });
      console.log(`${name.padStart(22)} ${chip} ${error.message}`);
    }
  }
}
writeFileSync(`${root}out/bench-timing.json`, `${JSON.stringify(rows, null, 2)}\n`);
if (rows.some(({ problems }) => problems.length > 0)) process.exitCode = 1;
