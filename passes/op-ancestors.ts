/** Which ops of a graph stand before or after which, as bit sets: N * N / 8 bytes, 125 KB for 1000 ops. */

/**
 * True for every op that is an ancestor or a descendant of every other op.
 *
 * @param before for each op the ops directly before it, all of smaller index
 */
export function comparableWithAll(before: readonly (readonly number[])[]): boolean[] {
  const count = before.length;
  const words = Math.ceil(count / 32);
  const ancestors = new Uint32Array(count * words);
  const related = new Int32Array(count); // ancestors and descendants of each op
  for (const [op, direct] of before.entries()) {
    const row = op * words;
    for (const ancestor of direct) {
      const from = ancestor * words;
      for (let word = 0; word < words; word++) {
        ancestors[row + word] = (ancestors[row + word] ?? 0) | (ancestors[from + word] ?? 0);
      }
      const at = row + (ancestor >>> 5);
      ancestors[at] = (ancestors[at] ?? 0) | (1 << (ancestor & 31));
    }
    countRelated(ancestors.subarray(row, row + words), op, related);
  }
  return Array.from(related, (number) => number === count - 1);
}

/** Each bit of the row is an ancestor of the op, and the op a descendant of it. */
function countRelated(row: Uint32Array, op: number, related: Int32Array): void {
  for (const [word, bits] of row.entries()) {
    for (let left = bits; left !== 0; left &= left - 1) {
      const ancestor = word * 32 + (31 - Math.clz32(left & -left));
      related[ancestor] = (related[ancestor] ?? 0) + 1;
      related[op] = (related[op] ?? 0) + 1;
    }
  }
}
