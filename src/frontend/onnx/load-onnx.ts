import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { SpillwayError } from '../../base/diagnostic.js';
import type { Program } from '../../ir/types.js';
import { ProblemList } from '../import-problems.js';
import { toInteger } from './constant.js';
import { readGraph } from './graph.js';
import { importGraph, type OnnxOptions } from './import-graph.js';
import { malformed } from './problems.js';
import { MODEL_PROTO, type ModelMessage } from './schema.js';

const NO_OPTIONS: OnnxOptions = { shapes: new Map() };

/**
 * Reads an ONNX file as a float32 program: activations stored channels last with N = 1, weights [M, KH, KW, C / groups].
 *
 * @param path of the file; diagnostics name it as given
 * @throws SpillwayError SW2001 ... SW2010, all problems of the file at once where possible
 */
export function loadOnnx(path: string, options: OnnxOptions = NO_OPTIONS): Program {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    return malformed('SW2001', { file: path }, `cannot read the file (${reason})`);
  }
  return importOnnx(bytes, path, dirname(path), options);
}

/**
 * @param bytes of the file; constants of the program may be views of them
 * @param file name for diagnostics and as the program's source
 * @param baseDir folder in which external data is looked for
 */
export function importOnnx(
  bytes: Uint8Array,
  file: string,
  baseDir: string,
  options: OnnxOptions = NO_OPTIONS,
): Program {
  const model = decodeModel(bytes, file);
  const graphMessage = model.graph;
  if (graphMessage === undefined || graphMessage === null) {
    return malformed('SW2002', { file }, 'the file holds no graph', 'is it an ONNX model?');
  }
  if ((model.opsetImport ?? []).length === 0 && toInteger(model.irVersion ?? 0) >= 3) {
    return malformed('SW2001', { file }, 'the file names no operator set', 'it may be cut short');
  }
  const problems = new ProblemList(file, 'SW2005');
  const graph = readGraph(model, graphMessage, file, problems);
  problems.throwIfAny();
  const name = basename(file).replace(/\.onnx$/, '');
  return importGraph(graph, name, baseDir, problems, options);
}

function decodeModel(bytes: Uint8Array, file: string): ModelMessage {
  try {
    // A Buffer makes the decoder hand out views of the file instead of copies.
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return MODEL_PROTO.decode(buffer) as unknown as ModelMessage;
  } catch (error) {
    if (error instanceof SpillwayError) throw error;
    const reason = error instanceof Error ? error.message : 'unknown reason';
    return malformed(
      'SW2001',
      { file },
      `not a readable ONNX file of ${bytes.length} B: ${reason}`,
      'the file may be cut short or be of another format',
    );
  }
}
