/**
 * Where in a JSON text the value at a path begins: its line and column, 1-based. A path that does not exist gives the place of
 * its longest part that does. The text must be valid JSON; numbers, strings and literals are skipped, not read.
 */
export function findJsonPath(
  text: string,
  path: readonly string[],
): { readonly line: number; readonly column: number } {
  const found = { offset: 0, depth: -1 };
  scanValue(text, skipSpace(text, 0), path, 0, found);
  const before = text.slice(0, found.offset).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

interface Found {
  offset: number;
  depth: number; // parts of the path that were matched; the deepest match wins
}

/** @returns the offset after the value. `depth` parts of the path lead here; -1 when the value is not on the path. */
function scanValue(text: string, start: number, path: readonly string[], depth: number, found: Found): number {
  if (depth > found.depth) {
    found.depth = depth;
    found.offset = start;
  }
  const open = text[start];
  if (open === '"') return stringEnd(text, start);
  if (open !== '{' && open !== '[') {
    let at = start;
    while (at < text.length && !',]} \t\r\n'.includes(text[at] ?? '')) at += 1;
    return at;
  }
  let at = skipSpace(text, start + 1);
  for (let index = 0; at < text.length && text[at] !== '}' && text[at] !== ']'; index++) {
    let key = String(index);
    const keyAt = at;
    if (open === '{') {
      const keyEnd = stringEnd(text, at);
      key = String(JSON.parse(text.slice(at, keyEnd)));
      at = skipSpace(text, skipSpace(text, keyEnd) + 1); // over the colon
    }
    const matches = depth >= 0 && path[depth] === key;
    at = skipSpace(text, scanValue(text, at, path, matches ? depth + 1 : -1, found));
    // An unknown key is found at the key, which is what has to be changed.
    if (matches && depth + 1 === path.length && open === '{') found.offset = keyAt;
    if (text[at] === ',') at = skipSpace(text, at + 1);
  }
  return at + 1;
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (at < text.length && ' \t\r\n'.includes(text[at] ?? '')) at += 1;
  return at;
}

function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}
