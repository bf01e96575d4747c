/** Inputs and outputs that look like a state which the model carries from frame to frame, and are not said to be one. */
import { tensorOf } from '../ir/facts.js';
import type { Program, Tensor } from '../ir/types.js';

/** What the user should try; undefined where nothing looks like it. */
export function stateNote(program: Program): string | undefined {
  const known = program.states ?? [];
  const inputs = program.inputs.filter((_, i) => !known.some(({ input }) => input === i));
  const outputs = program.outputs.filter((_, i) => !known.some(({ output }) => output === i));
  const pairs: string[] = [];
  const taken = new Set<number>();
  for (const id of inputs) {
    const from = tensorOf(program, id);
    const to = outputs.find((output) => !taken.has(output) && looksLikeNext(from, tensorOf(program, output)));
    if (to === undefined) continue;
    taken.add(to);
    pairs.push(`--state ${from.name}=${tensorOf(program, to).name}`);
  }
  if (pairs.length === 0) return undefined;
  return `carried from frame to frame, by their names: ${pairs.join(' ')} would keep them on the chip or in DRAM from period to period`;
}

function looksLikeNext(from: Tensor, to: Tensor): boolean {
  if (from.dtype !== to.dtype || outsideOf(from).join() !== outsideOf(to).join()) return false;
  const [a, b] = [stemOf(from.name), stemOf(to.name)];
  return a !== '' && a === b;
}

const outsideOf = ({ shape, outsideAxes, outsideShape }: Tensor): readonly number[] =>
  outsideShape ?? outsideAxes?.map((axis) => shape[axis] ?? 1) ?? shape;

/** hn and h0 are h, stateN is state, present_key and past_key are key, cache_out and cache_in are cache. */
function stemOf(name: string): string {
  const plain = name.replace(/:\d+$/, '').toLowerCase();
  return plain
    .replace(/^(past|present|previous|prev|next|new|initial|init|output|out|input|in)[_.]?(?=[a-z])/, '')
    .replace(/[_.]?(past|present|previous|prev|next|new|initial|init|output|out|input|in|n|t|t1|0|1)$/, '');
}
