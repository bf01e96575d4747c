/** Does something again whenever one of the files that it was made from changes. */
import { existsSync, type FSWatcher, watch } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

/** Editors write a file in several steps. */
const SETTLE_MILLISECONDS = 150;

/** A model file may import others beside it; of any other kind the file itself is all there is. */
function isAbout(file: string, changed: string): boolean {
  if (changed === basename(file)) return true;
  return file.endsWith('.model.ts') && changed.endsWith('.ts');
}

/**
 * Folders are watched, not files: a file that is replaced by a rename would be lost.
 *
 * @param onChange called with the name of the file that changed, once for changes that follow each other closely
 * @returns ends the watch
 */
export function watchFiles(files: readonly string[], onChange: (name: string) => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const folders = new Set(files.map((file) => dirname(resolve(file))));
  const watchers: FSWatcher[] = [...folders].filter(existsSync).map((folder) =>
    watch(folder, (_event, name) => {
      const isWanted = (file: string): boolean => dirname(resolve(file)) === folder && isAbout(file, name ?? '');
      if (name === null || !files.some(isWanted)) return;
      clearTimeout(timer);
      timer = setTimeout(() => onChange(name), SETTLE_MILLISECONDS);
    }),
  );
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  };
}
