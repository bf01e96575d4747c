/**
 * What Geoff Tate's articles of 2019 say of ResNet-50 and YOLOv3 on chips with 8, 64 and 256 MB of SRAM, beside what comes out here.
 *
 *   npm run build && node examples/tate-2019/run.mjs [DIR] [--only resnet50 [--batch 1]]
 *
 * Everything is asked of the command line: `spillway inspect`, `compile` and `sweep`. The sweeps are left in DIR (out/tate-2019) with
 * their pages, and go on where they were if this is stopped. README.md in this folder has the table and the sources.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const CLI = join(ROOT, 'dist', 'src', 'cli.js');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' }, batch: { type: 'string', default: '1,10' } },
});
const OUT = positionals[0] ?? 'out/tate-2019';
/** Of the two networks, those whose rows are wanted. */
const isWanted = (network) => values.only === undefined || values.only === network;
const CHIPS = ['chip-a', 'chip-b', 'chip-c'];
const RESNET = 'examples/resnet50.model.ts';
const YOLO = 'examples/yolov3.model.ts';

if (!existsSync(CLI)) {
  process.stderr.write('dist/ is missing: npm run build\n');
  process.exit(1);
}

function spillway(...args) {
  const done = spawnSync(process.execPath, [CLI, ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (done.status !== 0) process.exit(done.status ?? 1);
  return done.stdout;
}

const inspect = (model, ...more) => JSON.parse(spillway('inspect', model, '--json', ...more));
const compile = (model, ...more) => JSON.parse(spillway('compile', model, '--json', ...more));

function sweep(name, ...args) {
  if (!isWanted(name)) return [];
  const directory = resolve(ROOT, OUT, name);
  spillway('sweep', ...args, '-o', directory);
  return JSON.parse(readFileSync(join(directory, 'sweep.json'), 'utf8')).series;
}

const mb = (bytes, digits = 1) => `${(bytes / 1e6).toFixed(digits)} MB`;

/** Rows of a Markdown table, its columns as wide as they have to be. */
function table(head, rows) {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  const line = (cells) => `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line), ''].join('\n');
}

// What the networks are, before any chip.

/** The measure of the articles: what the largest layer reads and writes. */
const storageOf = ({ largestConvolution: { bytes, inputBytes, outputBytes } }, digits) =>
  `${mb(bytes, digits)} (${mb(inputBytes, digits)} in, ${mb(outputBytes, digits)} out)`;

/** What it takes depth-first, weights included: no activation leaves the SRAM. */
const leastOf = ({ leastSram }) => `${mb(leastSram.withoutActivationTrafficBytes, 1)} of SRAM in all, depth-first`;

function resnetFacts() {
  const resnet = inspect(RESNET, '--min-sram');
  /** Every layer's activations read from DRAM and written to it; what the layer by layer reader of the article pays. */
  const apart = compile(RESNET, '--target', 'chip-a', '--placement', 'none', '--no-blocks').period.byClass;
  /** With the 1.2 MB of the article as the whole SRAM: weights stream through it as well. */
  const stored = compile(RESNET, '--target', 'chip-a', '--sram', String(resnet.largestConvolution.bytes)).period
    .byClass;
  return [
    ['ResNet-50: weights in int8', '22.7 MB; about 25 MB', `${mb(resnet.totals.weightBytes)} as stored`],
    ['ResNet-50: largest activation', '0.8 MB', mb(resnet.largestActivation.bytes, 2)],
    ['ResNet-50: activation storage', '1.2 MB', storageOf(resnet, 1)],
    ['ResNet-50: no activation traffic from', '-', leastOf(resnet)],
    [
      'ResNet-50: DRAM traffic a frame that this saves',
      'about 20 MB',
      `${mb(apart.activations - stored.activations)} (${mb(apart.activations)} without it, ${mb(stored.activations)} with 1.2 MB of SRAM in all)`,
    ],
  ];
}

function yoloFacts() {
  const yolo608 = inspect(YOLO, '--min-sram', '--param', 'size=608');
  const yolo1440 = inspect(YOLO, '--min-sram', '--param', 'size=1440');
  return [
    ['YOLOv3: weights in int8', '62 MB', `${mb(yolo608.totals.weightBytes)} as stored`],
    ['YOLOv3 608: activation storage', '18 MB', storageOf(yolo608, 1)],
    ['YOLOv3 608: no activation traffic from', '-', leastOf(yolo608)],
    ['YOLOv3 1440 (2 MP): activation storage', '100 MB', storageOf(yolo1440, 1)],
    ['YOLOv3 1440 (2 MP): no activation traffic from', '-', leastOf(yolo1440)],
  ];
}

const facts = [...(isWanted('resnet50') ? resnetFacts() : []), ...(isWanted('yolov3') ? yoloFacts() : [])];

// What they cost on the chips.

const resnetSeries = sweep('resnet50', RESNET, '--target', CHIPS.join(), '--batch', values.batch);
const yoloSeries = sweep('yolov3', YOLO, '--target', CHIPS.join(), '--param', 'size=416,608,1440');

const costs = [...resnetSeries, ...yoloSeries].map((series) => {
  const [point] = series.points;
  const { batch, model, target } = series;
  const network = model.name === 'resnet50' ? 'ResNet-50 224' : `YOLOv3 ${series.params.size}`;
  const { byClass, totalBytes } = point.period;
  const a = (bytes) => mb(bytes / batch, 2).replace(' MB', '');
  return [
    network,
    String(batch),
    target.name,
    a(totalBytes),
    a(byClass.weights),
    a(byClass.activations),
    a(point.bound.compulsoryBytes),
    mb(point.sram.peakBytes),
    point.timing.framesPerSecond.toFixed(1),
    (point.energy.totalPicojoules / batch / 1e9).toFixed(2),
  ];
});

const areas = [...resnetSeries, ...yoloSeries]
  .filter(({ batch, target }, i, all) => all.findIndex((one) => one.target.name === target.name) === i && batch === 1)
  .map(({ target, points: [point] }) => `${target.name} ${point.areaMm2.toFixed(1)}`);

process.stdout.write(
  [
    table(['what', 'the articles', 'here'], facts),
    table(
      [
        'network',
        'batch',
        'chip',
        'MB a frame',
        'weights',
        'activations',
        'compulsory',
        'peak SRAM',
        'frames/s (est.)',
        'mJ a frame',
      ],
      costs,
    ),
    `SRAM in mm2: ${areas.join(', ')}\n`,
    `pages: ${['resnet50', 'yolov3']
      .filter(isWanted)
      .map((name) => relative(ROOT, resolve(ROOT, OUT, name, 'sweep.html')))
      .join(', ')}\n`,
  ].join('\n'),
);
