import { basename, dirname, join, resolve } from 'node:path';

/** Where the files of a directory are written first: beside it, so that a rename puts them in their place. */
export function stagingDirectory(directory: string): string {
  const target = resolve(directory);
  return join(dirname(target), `.${basename(target)}.${process.pid}.partial`);
}
