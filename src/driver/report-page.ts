/**
 * report.html: one file that opens from disk. The driver writes it: a skeleton, the page's style and script as `npm run build` made
 * them of src/report-page, and three JSON documents that the script draws from: report.json itself, the plan, and a
 * simulation once there is one. A policy in the page refuses every other script and every connection.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PagePlan, PageSimulation } from './page-data.js';
import type { Report } from './report.js';
import { formatSummary } from './report-text.js';

export const PAGE_FILE = 'report.html';

const SIMULATION_OPEN = '<script type="application/json" id="simulation">';
const CLOSE = '</script>';

export function reportPage(report: Report, plan: PagePlan): string {
  const { script, style } = pageParts();
  const scriptHash = createHash('sha256').update(script).digest('base64');
  const policy = `default-src 'none'; script-src 'sha256-${scriptHash}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'`;
  const title = `${report.model.name} on ${report.target.name}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)} - Spillway</title>
<!-- Plots: Observable Plot and D3, both under the ISC License. -->
<style>
${style}</style>
</head>
<body>
<noscript><pre>${escapeHtml(formatSummary(report))}</pre></noscript>
<div id="page"></div>
<script type="application/json" id="report">${embeddedJson(report)}</script>
<script type="application/json" id="plan">${embeddedJson(plan)}</script>
${SIMULATION_OPEN}null${CLOSE}
<script>${script}</script>
</body>
</html>
`;
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

/** JSON between script tags: no text of a model can end the element, or open a comment in it. */
function embeddedJson(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll('<', '\\u003c')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

let cached: { readonly script: string; readonly style: string } | undefined;

/** The built page: beside dist/src/ when this file runs from there, in dist/ when it runs from the checkout. */
function pageParts(): { readonly script: string; readonly style: string } {
  if (cached !== undefined) return cached;
  const here = dirname(fileURLToPath(import.meta.url));
  const candidates = ['../../report-page', '../../dist/report-page'].map((path) => join(here, path));
  const folder = candidates.find((path) => existsSync(join(path, 'page.js')));
  if (folder === undefined) throw new Error('the report page is not built: run `npm run build`');
  cached = {
    script: readFileSync(join(folder, 'page.js'), 'utf8'),
    style: readFileSync(join(folder, 'page.css'), 'utf8'),
  };
  return cached;
}
