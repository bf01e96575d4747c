/** `spillway inspect --min-sram`: the two sizes that an architect asks for first. */
import { leastLayerBytes, poseProblem } from '../../passes/place.js';
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
): Promise<LeastSram> {
  const { program } = await importModel(model, { params, shapes, dtype: 'int8' });
  const optimised = optimise(program, {});
  const options = {
    capacityBytes: ENDLESS_BYTES,
    alignmentBytes,
    blocks: true,
    parts: false,
    batch: 1,
    leastRoom: true,
  };
  return {
    withoutActivationTrafficBytes: leastSramWithoutActivationTraffic(poseProblem(optimised, options).problem),
    thatCompilesBytes: Math.max(...layersOf(optimised).map((layer) => leastLayerBytes(layer, alignmentBytes))),
  };
}
