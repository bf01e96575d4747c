/**
 * Chip files that say only what is different from another one: `"extends": "chip-a"`. Objects are merged key by key, and
 * what the variant says replaces what it is based on. A number that is replaced takes its source from the variant alone.
 */

type Json = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The document that the variant stands for, without `extends`. */
export function mergeVariant(base: Json, variant: Json): Json {
  const { extends: _, sources, description, ...own } = variant;
  const replaced = new Set(numberPaths(own));
  const kept = Object.entries(isJsonObject(base.sources) ? base.sources : {}).filter(([path]) => !replaced.has(path));
  const merged = merge(base, own);
  return {
    ...merged,
    ...(description === undefined ? { description: `a variant of ${String(base.name)}` } : { description }),
    // What is no object is for the check of the merged document to refuse.
    sources: sources === undefined || isJsonObject(sources) ? { ...Object.fromEntries(kept), ...sources } : sources,
  };
}

function merge(base: Json, over: Json): Json {
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = result[key];
    result[key] = isJsonObject(old) && isJsonObject(value) ? merge(old, value) : value;
  }
  return result;
}

function numberPaths(value: Json, prefix = ''): string[] {
  return Object.entries(value).flatMap(([key, entry]) => {
    if (isJsonObject(entry)) return numberPaths(entry, `${prefix}${key}.`);
    return typeof entry === 'number' ? [`${prefix}${key}`] : [];
  });
}
