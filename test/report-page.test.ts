/** report.html as text, and as a browser shows it. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Browser, Locator, Page } from 'playwright-core';
import type { PagePlan, PageSimulation } from '../src/driver/page-data.js';
import { type Report, reportSchema } from '../src/driver/report.js';
import { planOfPage, reportPage, withSimulation } from '../src/driver/report-page.js';
import { CHROMIUM, launchChromium } from './chromium.js';
import { scratchDirectory, spillway, spillwayJson } from './cli-harness.js';
import { pagePlanProblems } from './page-plan-check.js';

jest.setTimeout(120_000);

const scratch = scratchDirectory();
const directory = join(scratch, 'fsrcnn');
let html = '';
let report: Report;
let plan: PagePlan;

beforeAll(() => {
  const done = spillway(
    'compile',
    'examples/fsrcnn.model.ts',
    '--target',
    'chip-a',
    '--sram',
    '200KiB',
    '-o',
    directory,
  );
  if (done.code !== 0) throw new Error(done.stderr);
  html = readFileSync(join(directory, 'report.html'), 'utf8');
  report = reportSchema.parse(JSON.parse(readFileSync(join(directory, 'report.json'), 'utf8')));
  plan = embedded('plan') as PagePlan;
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function embedded(id: string): unknown {
  return JSON.parse(
    new RegExp(`<script type="application/json" id="${id}">([^<]*)</script>`).exec(html)?.[1] ?? 'null',
  );
}

const simulation = {
  cycles: 1000,
  framesPerSecond: 2,
  macUtilization: 0.25,
  dramUtilization: 0.5,
  totalBytes: 96,
  timeline: { binCycles: 512, dramReadBytes: [64, 0], dramWriteBytes: [0, 32], macs: [250, 0] },
};

describe('the file', () => {
  test('carries report.json, and a plan that goes with it', () => {
    expect(embedded('report')).toEqual(report);
    expect(embedded('simulation')).toBeNull();
    expect(plan.buffers.length).toBeGreaterThan(report.layers.length);
    expect(plan.blocks.length).toBeGreaterThan(0);
    expect(pagePlanProblems(plan, report)).toEqual([]);
  });

  test('names nothing outside itself', () => {
    expect(html).not.toMatch(/<(script|img|iframe)[^>]*\ssrc=|<link\b|@import|url\(http/);
    expect(html).toContain("default-src 'none'");
  });

  test('takes a simulation of its own program, and of no other', () => {
    const updated = withSimulation(html, plan.programSha256, simulation);
    expect(updated).toContain('id="simulation">{"cycles":1000');
    const twice = withSimulation(updated ?? '', plan.programSha256, { ...simulation, cycles: 2000 });
    expect(twice?.length).toBe(updated?.length);
    expect(withSimulation(html, '0'.repeat(64), simulation)).toBeUndefined();
    expect(withSimulation('<html></html>', plan.programSha256, simulation)).toBeUndefined();
  });
});

test('what is drawn over time before a simulation is the whole period as the compiler predicts it', () => {
  const { dramReadBytes, dramWriteBytes, macs, binCycles } = plan.timeline;
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const { byClass, readBytes, writeBytes } = report.period;
  expect(sum(dramReadBytes)).toBeCloseTo(readBytes - byClass.code, -1);
  expect(sum(dramWriteBytes)).toBeCloseTo(writeBytes, -1);
  // Rows that stripes make again are computed twice.
  const useful = report.model.macs * report.batch;
  expect(sum(macs)).toBeGreaterThan(0.999 * useful);
  expect(sum(macs)).toBeLessThan(1.05 * useful);
  const bins = Math.ceil(report.timing.cycles / binCycles);
  expect(Math.abs(dramReadBytes.length - bins)).toBeLessThanOrEqual(1);
});

test('simulate puts what it counted into the page beside the program', () => {
  const run = spillwayJson('simulate', directory, '--timing-only') as { cycles: number };
  const page = readFileSync(join(directory, 'report.html'), 'utf8');
  const counted = JSON.parse(/id="simulation">([^<]*)</.exec(page)?.[1] ?? 'null') as PageSimulation;
  writeFileSync(join(directory, 'report.html'), html);
  expect(counted.cycles).toBe(run.cycles);
  expect(counted.totalBytes).toBe(report.period.totalBytes);
  const { dramReadBytes, dramWriteBytes, macs, binCycles } = counted.timeline;
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  expect(sum(dramReadBytes)).toBeCloseTo(report.period.readBytes - report.period.byClass.code, -1);
  expect(sum(dramWriteBytes)).toBeCloseTo(report.period.writeBytes, -1);
  expect(sum(macs) / (run.cycles * report.target.macsPerCycle)).toBeCloseTo(counted.macUtilization, 6);
  expect(dramReadBytes.length * binCycles).toBeGreaterThanOrEqual(run.cycles * 0.9);
  expect(dramReadBytes.length).toBeLessThanOrEqual(512);
});

if (CHROMIUM === undefined) console.warn('there is no chromium here: report.html is not looked at');

(CHROMIUM === undefined ? describe.skip : describe)('in a browser', () => {
  let browser: Browser;
  const complaints: string[] = [];
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser.close());

  /** Opens a page from disk; whatever it complains of or asks the network for is kept. */
  async function open(file: string, options: { width?: number; colorScheme?: 'light' | 'dark' } = {}): Promise<Page> {
    complaints.length = 0;
    const { width = 1280, colorScheme = 'light' } = options;
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith('file:')) complaints.push(`asks for ${request.url()}`);
    });
    await page.goto(pathToFileURL(file).href);
    await page.waitForSelector('html[data-ready]');
    return page;
  }

  const openReport = (options = {}): Promise<Page> => open(join(directory, 'report.html'), options);

  /** Writes a page of documents that were changed, and opens it. */
  async function openChanged(name: string, changed: Report, changedPlan: PagePlan = plan): Promise<Page> {
    const file = join(scratch, name);
    writeFileSync(file, reportPage(changed, changedPlan));
    return open(file);
  }

  const numbersOf = (cells: Locator): Promise<number[]> =>
    cells.evaluateAll((all) => all.map((cell) => Number(cell.getAttribute('data-value'))));
  const textOf = async (element: Locator): Promise<string> => (await element.textContent()) ?? '';
  const digits = (text: string): string => text.replace(/\u202f/g, '');
  const numberIn = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1]);

  test('opens without a complaint and asks for nothing', async () => {
    const page = await openReport();
    expect(complaints).toEqual([]);
    for (const id of ['memory', 'traffic', 'kinds', 'time', 'roofline', 'graph', 'layers', 'tensors']) {
      expect(await page.locator(`section#${id} h2`).count()).toBe(1);
    }
    expect(await page.locator('.plot svg').count()).toBeGreaterThanOrEqual(7);
    await page.close();
  });

  test("its numbers are the report's", async () => {
    const page = await openReport();
    const card = async (id: string): Promise<string> => digits(await textOf(page.locator(`[data-card=${id}]`)));
    expect(await card('traffic')).toContain(`${report.period.totalBytes} B`);
    expect(await card('bound')).toContain(`${report.bound.compulsoryBytes} B`);
    expect(await card('gap')).toContain(`${report.bound.solverBytes} B`);
    expect(await card('speed')).toContain('predicted');
    expect(await card('speed')).toContain(`${report.timing.cycles} cycles`);
    expect(await card('sram')).toContain(`${report.sram.peakBytes} B of ${report.sram.capacityBytes} B`);
    const { timing, energy, batch } = report;
    const { computeCycles, compulsoryCycles } = timing.floors;
    expect(await card('floors')).toContain(`layers alone ${computeCycles} cycles`);
    expect(await card('floors')).toContain(`compulsory bytes alone ${compulsoryCycles}`);
    if (timing.bound !== null) {
      expect(await card('floors')).toContain(`bound of placement for time ${timing.bound.cycles}`);
    }
    expect(numberIn(await card('floors'), / ?([\d.]+)\u00a0?.?\u00d7/)).toBeCloseTo(
      timing.cycles / Math.max(computeCycles, compulsoryCycles),
      2,
    );
    expect(numberIn(await card('energy'), /([\d.]+) mJ/)).toBeCloseTo(energy.totalPicojoules / batch / 1e9, 2);
    expect(await card('energy')).toContain(
      `DRAM ${(100 * (energy.dramPicojoules / energy.totalPicojoules)).toFixed(1)} %`,
    );
    expect(digits(await textOf(page.locator('#time')))).toContain(`${timing.cycles} cycles`);
    const { weights, activations, code } = report.budget;
    expect(await numbersOf(page.locator('#kinds td.number'))).toEqual(
      [weights, activations, code].flatMap((kind) => [kind.sramBytes, kind.dramBytes, kind.periodBytes]),
    );
    const layers = await numbersOf(page.locator('#layers tbody td.number'));
    expect(layers).toEqual(
      report.layers.flatMap((l) => [
        l.step,
        l.readBytes,
        l.writeBytes,
        l.weightBytes,
        l.residentBytes,
        l.sramBytes,
        l.macs,
        l.cycles,
        l.sramValue,
      ]),
    );
    const tensors = await numbersOf(page.locator('#tensors tbody td.number'));
    expect(tensors).toEqual(report.tensors.flatMap((t) => [t.bytes, t.readBytes, t.writeBytes]));
    await page.close();
  });

  test('the plans that were made are listed with their costs', async () => {
    const [plan] = report.plans;
    if (plan === undefined) throw new Error('there is no plan');
    const plans = [plan, { plan: 'greedy', bytes: 123_456, cycles: 7890, picojoules: 4_500_000, isChosen: false }];
    const page = await openChanged('plans.html', { ...report, plans });
    const numbers = await numbersOf(page.locator('#plans tbody td.number'));
    expect(numbers).toEqual(plans.flatMap(({ bytes, cycles, picojoules }) => [bytes, cycles, picojoules]));
    expect(await page.locator('#plans tbody td', { hasText: /^taken$/ }).count()).toBe(1);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('a buffer says what it is when pointed at, and all about it when clicked', async () => {
    const page = await openReport();
    const largest = plan.buffers.reduce((a, b) =>
      a.sizeBytes * (a.endStep - a.startStep) > b.sizeBytes * (b.endStep - b.startStep) ? a : b,
    );
    const tensor = report.tensors[largest.tensor];
    const rects = page.locator('#memory .buffers rect');
    expect(await rects.count()).toBe(plan.buffers.length);
    const rect = rects.nth(plan.buffers.indexOf(largest));
    await rect.hover();
    const hover = await textOf(page.locator('.hover'));
    expect(hover).toContain(tensor?.name);
    expect(digits(hover)).toContain(`${largest.sizeBytes} B`);
    expect(hover).toContain(largest.note);
    expect(hover).toContain(tensor?.why);
    expect(hover).toMatch(/for ever|steps? \d/);
    await rect.click();
    const pane = page.locator('aside.details');
    expect(await textOf(pane.locator('h2'))).toBe(tensor?.name);
    expect(await textOf(pane)).toContain(tensor?.why);
    expect(await page.locator('#tensors tr.selected').getAttribute('data-row')).toBe(String(largest.tensor));
    expect(page.url()).toContain(`#tensor-${largest.tensor}`);
    expect(await page.locator('#memory rect.selected').count()).toBe(
      plan.buffers.filter((b) => b.tensor === largest.tensor).length,
    );
    await page.keyboard.press('Escape');
    expect(await pane.isVisible()).toBe(false);
    await page.close();
  });

  test('loads that run ahead are drawn from where they begin', async () => {
    const ahead = join(scratch, 'ahead');
    const args = [
      'examples/resnet50.model.ts',
      '--target',
      'chip-a',
      '--placement',
      'greedy',
      '--no-blocks',
      '--sram',
      '9MiB',
    ];
    expect(spillway('compile', ...args, '-o', ahead).code).toBe(0);
    const text = readFileSync(join(ahead, 'report.html'), 'utf8');
    const theirs = planOfPage(text);
    const early = (theirs?.buffers ?? []).filter(({ loadedFrom }) => loadedFrom !== undefined);
    expect(early.length).toBeGreaterThan(3);
    for (const { loadedFrom = 0, startStep } of early) expect(loadedFrom).toBeLessThan(startStep);
    if (theirs === undefined) throw new Error('no plan');
    expect(
      pagePlanProblems(theirs, reportSchema.parse(JSON.parse(readFileSync(join(ahead, 'report.json'), 'utf8')))),
    ).toEqual([]);
    const page = await open(join(ahead, 'report.html'));
    const rects = page.locator('#memory .early-loads rect');
    expect(await rects.count()).toBe(early.length);
    await page.getByRole('button', { name: 'Everything' }).click();
    await rects.first().hover();
    expect(await textOf(page.locator('.hover'))).toContain(
      `loaded ahead, from step ${Math.floor(early[0]?.loadedFrom ?? 0)} `,
    );
    await page.close();
  });

  test('from a tensor to its layer, and on to what stands beside it', async () => {
    const page = await openReport();
    const edge = plan.edges.find(({ from }) => from >= 0);
    const name = report.tensors[edge?.tensor ?? 0]?.name ?? '';
    await page.locator('#tensors button.link', { hasText: name }).first().click();
    const pane = page.locator('aside.details');
    await pane
      .getByRole('button', { name: `step ${edge?.from}:` })
      .first()
      .click();
    expect(await textOf(pane.locator('h2'))).toBe(`${edge?.from}: ${report.layers[edge?.from ?? 0]?.name}`);
    expect(await page.locator('#graph .graph-row.selected').getAttribute('data-step')).toBe(String(edge?.from));
    await page.close();
  });

  test('tables sort both ways and filter', async () => {
    const page = await openReport();
    const reads = (): Promise<number[]> => numbersOf(page.locator('#tensors tbody tr td:nth-child(5)'));
    const sorted = report.tensors.map(({ readBytes }) => readBytes).sort((a, b) => b - a);
    const head = page.locator('#tensors thead button', { hasText: 'read B' });
    await head.click();
    expect(await reads()).toEqual(sorted);
    expect(await textOf(page.locator('#tensors th[aria-sort=descending]'))).toContain('read B');
    await head.click();
    expect(await reads()).toEqual([...sorted].reverse());
    await page.locator('#tensors input').fill('weights');
    const matching = report.tensors.filter((tensor) =>
      `${tensor.name} ${tensor.class} ${tensor.why}`.includes('weights'),
    );
    expect(await page.locator('#tensors tbody tr:visible').count()).toBe(matching.length);
    expect(await textOf(page.locator('#tensors .tools'))).toContain(`${matching.length} of ${report.tensors.length}`);
    await page.locator('#tensors input').fill('no such tensor');
    expect(await page.locator('#tensors tbody tr:visible').count()).toBe(0);
    await page.close();
  });

  test('dragging zooms the map, and a button shows everything again', async () => {
    const page = await openReport();
    const box = await page.locator('#memory .plot svg').boundingBox();
    if (box === null) throw new Error('no map');
    await page.mouse.move(box.x + 100, box.y + 60);
    await page.mouse.down();
    await page.mouse.move(box.x + 300, box.y + 160);
    await page.mouse.up();
    const rects = page.locator('#memory .buffers rect');
    expect(await rects.count()).toBeLessThan(plan.buffers.length);
    expect(await page.locator('aside.details').isVisible()).toBe(false);
    await page.getByRole('button', { name: 'Everything' }).click();
    expect(await rects.count()).toBe(plan.buffers.length);
    await page.close();
  });

  test('by keyboard alone', async () => {
    const page = await openReport();
    await page.locator('#memory .plot').focus();
    await page.keyboard.press('ArrowRight');
    const first = await textOf(page.locator('#memory [aria-live]'));
    await page.keyboard.press('ArrowUp');
    expect(await textOf(page.locator('#memory [aria-live]'))).not.toBe(first);
    await page.keyboard.press('Enter');
    expect(await page.locator('aside.details').isVisible()).toBe(true);
    expect(await page.evaluate('document.activeElement.className')).toBe('details');
    await page.keyboard.press('Escape');
    expect(await page.evaluate('document.activeElement.className')).toContain('plot');
    await page.locator('#graph .graph-row').first().focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    expect(await textOf(page.locator('aside.details h2'))).toBe(`1: ${report.layers[1]?.name}`);
    await page.close();
  });

  test('names of models are text, whatever they hold', async () => {
    const hostile = `</script><img src=x onerror="document.title='taken'">&amp;'"<!--`;
    const changed: Report = {
      ...report,
      model: { ...report.model, name: hostile, source: hostile },
      layers: report.layers.map((layer) => ({ ...layer, name: hostile, source: hostile, tiling: hostile })),
      tensors: report.tensors.map((tensor) => ({ ...tensor, name: hostile, why: hostile })),
    };
    const page = await openChanged('hostile.html', changed);
    await page.locator('#memory .buffers rect').first().hover();
    expect(await textOf(page.locator('.hover strong'))).toBe(hostile);
    await page.locator('#layers button.link').first().click();
    expect(await textOf(page.locator('aside.details h2'))).toBe(`0: ${hostile}`);
    expect(await textOf(page.locator('h1'))).toBe(`${hostile} on chip-a`);
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.title()).toBe(`${hostile} on chip-a - Spillway`);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('five thousand buffers', async () => {
    const [layer, buffer] = [report.layers[0], plan.buffers[0]];
    if (layer === undefined || buffer === undefined) throw new Error('nothing to repeat');
    const layers = Array.from({ length: 500 }, (_, step) => ({ ...layer, step }));
    const buffers = Array.from({ length: 5000 }, (_, i) => ({
      ...buffer,
      kind: 'tensor' as const,
      startStep: Math.floor(i / 10),
      endStep: Math.floor(i / 10) + 1,
      offsetBytes: (i % 10) * 20_000,
      sizeBytes: 19_000,
    }));
    const page = await openChanged('many.html', { ...report, layers }, { ...plan, buffers, blocks: [] });
    const rects = page.locator('#memory .buffers rect');
    expect(await rects.count()).toBe(5000);
    await rects.nth(4321).hover();
    expect(await textOf(page.locator('.hover'))).toContain('step 432');
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('on a narrow screen, in the dark, and once it has been simulated', async () => {
    const file = join(scratch, 'simulated.html');
    writeFileSync(file, withSimulation(html, plan.programSha256, simulation) ?? '');
    const page = await open(file, { width: 400, colorScheme: 'dark' });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(400);
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(15, 19, 24)');
    expect(digits(await textOf(page.locator('[data-card=speed]')))).toMatch(/simulated.*1000 cycles/s);
    expect(await textOf(page.locator('#time h2'))).toBe('Time (simulated)');
    expect(complaints).toEqual([]);
    await page.close();
  });
});
