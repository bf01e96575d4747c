import { join } from 'node:path';
import type { z } from 'zod';
import { type Diagnostic, SpillwayError } from '../base/diagnostic.js';
import { readInputFile } from './read-file.js';

/**
 * A JSON file of a directory that compile wrote.
 *
 * @param otherwise the code of what is no such document, and the beginning of the message
 * @throws SpillwayError SW8002 (blame input) when it cannot be read; `otherwise` (blame input)
 */
export function readCompiledJson<T>(
  directory: string,
  name: string,
  schema: z.ZodType<T>,
  otherwise: { readonly code: Diagnostic['code']; readonly message: string },
): T {
  const file = join(directory, name);
  const text = new TextDecoder().decode(readInputFile(file));
  const fail = (message: string): never => {
    const hint = 'compile the model again with this version';
    throw new SpillwayError([{ code: otherwise.code, blame: 'input', message, loc: { file }, hint }]);
  };
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return fail('this is no JSON');
  }
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return fail(`${otherwise.message} of this version of Spillway: ${issue?.path.join('.')}: ${issue?.message}`);
}
