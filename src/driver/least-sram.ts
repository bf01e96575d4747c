/** `spillway inspect --min-sram`: the two sizes that an architect asks for first. */
import { leastLayerBytes } from '../../passes/place.js';
import { poseProblem } from '../../passes/pose-problem.js';
import type { Program } from '../ir/types.js';
import { layersOf } from '../schedule/layer.js';
import { leastSramWithoutActivationTraffic } from '../solver/placement/least-sram.js';
import { optimise } from './compile.js';
import { importModel } from './import-model.js';

export interface LeastSram {
  readonly withoutActivationTrafficBytes: number;
  /** Every layer by itself, everything at home in DRAM. */
  readonly thatCompilesBytes: number;
}

/** Rules nothing out, and leaves sums exact. */
const ENDLESS_BYTES = 2 ** 40;

export async function leastSramOf(
  model: string,
  params: ReadonlyMap<string, string>,
  shapes: ReadonlyMap<string, readonly number[]>,
  alignmentBytes: number,
  states: ReadonlyMap<string, string> = new Map(),
): Promise<LeastSram> {
  const { program } = await importModel(model, { params, shapes, states, dtype: 'int8' });
  const optimised = optimise(program, {});
  return {
    withoutActivationTrafficBytes: leastWithoutActivationTraffic(optimised, alignmentBytes),
    thatCompilesBytes: Math.max(...layersOf(optimised).map((layer) => leastLayerBytes(layer, alignmentBytes))),
  };
}

/**
 * What is listed depends on how much SRAM there is: narrow tilings and small chunks of weights are looked for where it is tight. So the
 * question is asked again with the answer as the SRAM, for as long as that finds less.
 */
function leastWithoutActivationTraffic(program: Program, alignmentBytes: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let capacityBytes = ENDLESS_BYTES; ; capacityBytes = least) {
    const options = { capacityBytes, alignmentBytes, blocks: true, parts: false, batch: 1, leastRoom: true };
    const found = leastSramWithoutActivationTraffic(poseProblem(program, options).problem);
    if (found >= least) return least;
    least = found;
  }
}
