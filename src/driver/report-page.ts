/**
 * report.html: a page with three JSON documents that its script draws from: report.json itself, the plan, and a simulation once
 * there is one.
 */
import type { PagePlan, PageSimulation } from './page-data.js';
import { embeddedJson, pageFile } from './page-file.js';
import type { Report } from './report.js';
import { formatSummary } from './report-text.js';

export const PAGE_FILE = 'report.html';

const SIMULATION_OPEN = '<script type="application/json" id="simulation">';
const CLOSE = '</script>';

export function reportPage(report: Report, plan: PagePlan): string {
  return pageFile({
    parts: 'page',
    title: `${report.model.name} on ${report.target.name}`,
    plainText: formatSummary(report),
    documents: `<script type="application/json" id="report">${embeddedJson(report)}</script>
<script type="application/json" id="plan">${embeddedJson(plan)}</script>
${SIMULATION_OPEN}null${CLOSE}`,
  });
}

/**
 * The page with what a simulation counted in the place of what it held before.
 *
 * @param programSha256 of the program that was simulated
 * @returns undefined where the page is not one of that program
 */
export function withSimulation(page: string, programSha256: string, simulation: PageSimulation): string | undefined {
  const from = page.indexOf(SIMULATION_OPEN);
  if (from < 0 || !page.includes(`"programSha256":"${programSha256}"`)) return undefined;
  const start = from + SIMULATION_OPEN.length;
  return page.slice(0, start) + embeddedJson(simulation) + page.slice(page.indexOf(CLOSE, start));
}

/** The plan that a page carries; undefined where it carries none. */
export function planOfPage(page: string): PagePlan | undefined {
  const text = /<script type="application\/json" id="plan">([^<]*)<\/script>/.exec(page)?.[1];
  return text === undefined ? undefined : (JSON.parse(text) as PagePlan);
}
