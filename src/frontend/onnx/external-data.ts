import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { isAbsolute, join, normalize } from 'node:path';
import type { SourceLoc } from '../../base/diagnostic.js';
import { malformed } from './problems.js';
import type { StringPairMessage } from './schema.js';

/**
 * Weights kept beside the model file. The location must stay inside the model's folder: a model is untrusted input and
 * may not name other files of the machine.
 *
 * @returns reads the bytes when called
 * @throws SpillwayError SW2009 when the file is missing, too short, or outside the folder
 */
export function readExternalData(
  entries: readonly StringPairMessage[],
  wantBytes: number,
  what: string,
  loc: SourceLoc,
  baseDir: string,
): () => Uint8Array {
  const fields = new Map(entries.map((entry) => [entry.key ?? '', entry.value ?? '']));
  const location = fields.get('location') ?? '';
  const offsetBytes = Number(fields.get('offset') ?? 0);
  const lengthBytes = Number(fields.get('length') ?? wantBytes);
  const relative = normalize(location);
  if (location === '' || isAbsolute(location) || relative.startsWith('..') || location.includes('\0')) {
    malformed('SW2009', loc, `${what} names external data outside the model's folder: '${location}'`);
  }
  if (!Number.isSafeInteger(offsetBytes) || offsetBytes < 0 || lengthBytes !== wantBytes) {
    malformed('SW2009', loc, `${what} needs ${wantBytes} B; its external data says ${lengthBytes} B at ${offsetBytes}`);
  }
  const path = join(baseDir, relative);
  const fileBytes = statSync(path, { throwIfNoEntry: false })?.size;
  if (fileBytes === undefined) malformed('SW2009', loc, `${what} is in '${location}', which is not there`);
  if (fileBytes < offsetBytes + wantBytes) {
    malformed(
      'SW2009',
      loc,
      `${what} needs bytes up to ${offsetBytes + wantBytes} of '${location}', which has ${fileBytes} B`,
    );
  }
  return () => readRange(path, offsetBytes, wantBytes);
}

function readRange(path: string, offsetBytes: number, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  const handle = openSync(path, 'r');
  try {
    let done = 0;
    while (done < sizeBytes) {
      const got = readSync(handle, bytes, done, sizeBytes - done, offsetBytes + done);
      if (got === 0) break; // the file shrank since it was checked; the rest stays zero
      done += got;
    }
  } finally {
    closeSync(handle);
  }
  return bytes;
}
