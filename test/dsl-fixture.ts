import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Diagnostic, SpillwayError } from '../src/base/diagnostic.js';
import { loadModelFile } from '../src/frontend/dsl/load.js';

const IMPORTS = `import {
  add, avgPool, clamp, concat, conv2d, dense, depthwiseConv2d, elu, flatten, globalAvgPool, hardSigmoid, hardSwish, input,
  leakyRelu, lrn, maxPool, model, mul, relu, relu6, reshape, sigmoid, slice, softmax, sub, tanh, upsample,
} from 'spillway/model';
`;

/** Lines that `modelText` puts before the text it is given. */
export const LINES_BEFORE = IMPORTS.split('\n').length - 1;

/** Loads a model made of the files given; the first is the model file. Places name files by these names. */
export async function loadFiles(
  files: Readonly<Record<string, string>>,
  params: Readonly<Record<string, string>> = {},
) {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-dsl-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    const [first = ''] = Object.keys(files);
    return await loadModelFile(join(folder, first), new Map(Object.entries(params)));
  } catch (error) {
    if (!(error instanceof SpillwayError)) throw error;
    throw new SpillwayError(error.diagnostics.map((d) => withoutFolder(d, folder)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function withoutFolder(diagnostic: Diagnostic, folder: string): Diagnostic {
  return JSON.parse(JSON.stringify(diagnostic).replaceAll(`${folder}/`, '')) as Diagnostic;
}

/** The text with every function of 'spillway/model' imported. */
export function modelText(text: string): string {
  return IMPORTS + text;
}

/** A model with one image input `x` of 8x8x4 whose `build` has this body. */
export function buildText(body: string): string {
  return modelText(
    `export default model({ name: 'm', build: () => { const x = input({ name: 'x', height: 8, width: 8, channels: 4 });\n${body}\n} });`,
  );
}

export function loadText(text: string, params: Readonly<Record<string, string>> = {}) {
  return loadFiles({ 'a.model.ts': text }, params);
}

/** The diagnostics of a model that must not load. */
export async function diagnosticsOf(text: string, params: Readonly<Record<string, string>> = {}) {
  return diagnosticsOfFiles({ 'a.model.ts': text }, params);
}

export async function diagnosticsOfFiles(
  files: Readonly<Record<string, string>>,
  params: Readonly<Record<string, string>> = {},
): Promise<readonly Diagnostic[]> {
  try {
    await loadFiles(files, params);
  } catch (error) {
    if (error instanceof SpillwayError) return error.diagnostics;
    throw error;
  }
  throw new Error('the model loaded');
}

/** What the statements return, as text: the model file throws it, and the message brings it out. */
export async function evaluated(statements: string): Promise<string> {
  const [diagnostic] = await diagnosticsOf(`const result = (() => { ${statements} })();\nthrow String(result);`);
  const message = diagnostic?.message ?? '';
  const prefix = 'the model refuses: ';
  return message.startsWith(prefix) ? message.slice(prefix.length) : `${diagnostic?.code} ${message}`;
}
