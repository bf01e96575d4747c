/**
 * A page in one file that opens from disk. The driver writes it: a skeleton, the page's style and script as `npm run build` made them
 * of src/report-page, and the JSON documents that the script draws from. A policy in the page refuses every other script
 * and every connection.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface PageContent {
  readonly parts: 'page' | 'sweep/page'; // of dist/report-page, without .js and .css
  readonly title: string;
  readonly plainText: string; // for readers without scripts
  readonly documents: string; // elements, whose content `embeddedJson` made
}

export function pageFile({ parts, title, plainText, documents }: PageContent): string {
  const { script, style } = builtParts(parts);
  const scriptHash = createHash('sha256').update(script).digest('base64');
  const policy = `default-src 'none'; script-src 'sha256-${scriptHash}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'`;
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
<noscript><pre>${escapeHtml(plainText)}</pre></noscript>
<div id="page"></div>
${documents}
<script>${script}</script>
</body>
</html>
`;
}

/** JSON between script tags: no text of a model can end the element, or open a comment in it. */
export function embeddedJson(value: unknown): string {
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

const built = new Map<string, { readonly script: string; readonly style: string }>();

/** The built page: beside dist/src/ when this file runs from there, in dist/ when it runs from the checkout. */
function builtParts(name: string): { readonly script: string; readonly style: string } {
  const known = built.get(name);
  if (known !== undefined) return known;
  const here = dirname(fileURLToPath(import.meta.url));
  const candidates = ['../../report-page', '../../dist/report-page'].map((path) => join(here, path));
  const folder = candidates.find((path) => existsSync(join(path, `${name}.js`)));
  if (folder === undefined) throw new Error('the report page is not built: run `npm run build`');
  const parts = {
    script: readFileSync(join(folder, `${name}.js`), 'utf8'),
    style: readFileSync(join(folder, `${name}.css`), 'utf8'),
  };
  built.set(name, parts);
  return parts;
}
