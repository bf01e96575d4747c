/** sweep.html as text, and as a browser shows it. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { isDone, type Sweep, sweepSchema } from '../src/driver/sweep/sweep-document.js';
import { CHROMIUM, launchChromium } from './chromium.js';
import { scratchDirectory, spillway } from './cli-harness.js';

jest.setTimeout(60_000);

const scratch = scratchDirectory();
let html = '';
let sweep: Sweep;

beforeAll(() => {
  const args = ['--target', 'chip-a', '--sram', '1KiB..16KiB', '--per-octave', '3', '--batch', '1,2'];
  const done = spillway('sweep', 'examples/tiny.model.ts', ...args, '--placement', 'greedy', '-o', scratch);
  if (done.code !== 0) throw new Error(done.stderr);
  html = readFileSync(join(scratch, 'sweep.html'), 'utf8');
  sweep = sweepSchema.parse(JSON.parse(readFileSync(join(scratch, 'sweep.json'), 'utf8')));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test('the file carries sweep.json and names nothing outside itself', () => {
  const embedded = /<script type="application\/json" id="sweep">([^<]*)<\/script>/.exec(html)?.[1] ?? 'null';
  expect(JSON.parse(embedded)).toEqual(sweep);
  expect(html).not.toMatch(/<(script|img|iframe)[^>]*\ssrc=|<link\b|@import|url\(http/);
  expect(html).toContain("default-src 'none'");
  expect(html).toMatch(/<noscript><pre>tiny \(examples\/tiny\.model\.ts\)/);
});

if (CHROMIUM === undefined) console.warn('there is no chromium here: sweep.html is not looked at');

(CHROMIUM === undefined ? describe.skip : describe)('in a browser', () => {
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];
  beforeAll(async () => {
    browser = await launchChromium();
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith('file:')) complaints.push(`asks for ${request.url()}`);
    });
    await page.goto(pathToFileURL(join(scratch, 'sweep.html')).href);
    await page.waitForSelector('html[data-ready]');
  });
  afterAll(() => browser.close());

  const allPoints = () => sweep.series.flatMap(({ points }) => points);

  test('draws every point, every knee and every point that does not fit', async () => {
    const done = allPoints().filter(isDone);
    expect(await page.locator('#traffic .targets > *').count()).toBe(done.length);
    expect(await page.locator('#speed .targets > *').count()).toBe(done.length);
    const knees = done.filter(({ isKnee }) => isKnee).length;
    expect(knees).toBeGreaterThan(0);
    expect(await page.locator('#traffic .knees > *').count()).toBe(knees);
    expect(await page.locator('.cards .card').count()).toBe(knees);
    const missing = allPoints().length - done.length;
    expect(missing).toBeGreaterThan(0);
    expect(await page.locator('#traffic .missing > *').count()).toBe(missing);
    expect(await page.locator('#classes .stack > *').count()).toBe(
      (sweep.series[0]?.points.filter(isDone).length ?? 0) * 5,
    );
    expect(complaints).toEqual([]);
  });

  test('a point says its exact bytes under the pointer', async () => {
    const done = allPoints().filter(isDone);
    await page.locator('#traffic .targets > *').nth(3).hover({ force: true });
    const text = ((await page.locator('#hover').textContent()) ?? '').replace(/\u202f/g, '');
    expect(text).toContain(`${done[3]?.perFrameBytes} B a frame`);
    await page.locator('#traffic .missing > *').first().hover({ force: true });
    expect((await page.locator('#hover').textContent())?.replace(/\u202f/g, '')).toContain('the least SRAM is 1040 B');
  });

  test('the table has the numbers of sweep.json, sorts, and filters', async () => {
    const rows = page.locator('#points tbody tr:visible');
    expect(await rows.count()).toBe(allPoints().length);
    const bytesOf = () =>
      page
        .locator('#points tbody tr:visible')
        .evaluateAll((all) =>
          all.map((row) => Number(row.querySelectorAll('[data-value]')[2]?.getAttribute('data-value'))),
        );
    const expected = sweep.series.flatMap(({ batch, points }) =>
      points.map((point) => (isDone(point) ? point.period.totalBytes / (batch ?? 1) : -1)),
    );
    expect(await bytesOf()).toEqual(expected);
    const head = page.locator('#points th', { hasText: 'traffic' });
    await head.locator('button').click();
    expect(await head.getAttribute('aria-sort')).toBe('descending');
    expect(await bytesOf()).toEqual([...expected].sort((a, b) => b - a));
    await page.locator('#points input[type=search]').fill('knee');
    expect(await rows.count()).toBe(allPoints().filter((point) => isDone(point) && point.isKnee).length);
    await page.locator('#points input[type=search]').fill('');
  });

  test('series can be hidden, and the classes follow the choice', async () => {
    const [first, second] = sweep.series.map(({ points }) => points.filter(isDone));
    const box = page.locator('label.series input').first();
    await box.uncheck();
    expect(await page.locator('#traffic .targets > *').count()).toBe(second?.length);
    await box.check();
    expect(await page.locator('#traffic .targets > *').count()).toBe((first?.length ?? 0) + (second?.length ?? 0));
    await page.locator('#classes select').selectOption('1');
    await page.locator('#classes .stack > *').nth(0).hover({ force: true });
    expect(await page.locator('#hover').textContent()).toContain('batch 2: ');
    expect(complaints).toEqual([]);
  });

  test('nothing is wider than a narrow window', async () => {
    await page.setViewportSize({ width: 400, height: 800 });
    await page.waitForTimeout(100);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(400);
    expect(complaints).toEqual([]);
  });
});
