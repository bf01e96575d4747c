import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Program } from '../../ir/types.js';
import { ProblemList } from '../import-problems.js';
import { type InputShapes, importGraph } from './import-graph.js';
import { readModel } from './model.js';
import { malformed } from './problems.js';

/**
 * Reads a TFLite file as a program in the numbers that the file has: quantised, float32, or both.
 *
 * @param path of the file; diagnostics name it as given
 * @param shapes of inputs, by name, other than those that the file declares
 * @throws SpillwayError SW2101 ... SW2110, all problems of the file at once where possible
 */
export function loadTflite(path: string, shapes: InputShapes = new Map()): Program {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    return malformed('SW2101', { file: path }, `cannot read the file (${reason})`);
  }
  return importTflite(bytes, path, shapes);
}

/**
 * @param bytes of the file; constants of the program may be views of them
 * @param file name for diagnostics and as the program's source
 */
export function importTflite(bytes: Uint8Array, file: string, shapes: InputShapes = new Map()): Program {
  // A Buffer's slice is no copy, as a Uint8Array's is.
  const model = readModel(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), file);
  return importGraph(model, basename(file).replace(/\.tflite$/, ''), new ProblemList(file, 'SW2105'), shapes);
}
