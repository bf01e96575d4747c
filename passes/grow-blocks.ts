/** Spends the SRAM that is left beside a block on its time: taller stripes, wider pieces, loads that run ahead. See grow-tiles.ts. */
import { type BlockForm, type BlockPlan, planBlock } from '../src/schedule/block.js';
import { type BlockShape, layerAt } from '../src/schedule/block-shape.js';
import type { Layer } from '../src/schedule/layer.js';
import { type Schedule, type ScheduledBlock, unplacedBuffers } from '../src/schedule/schedule.js';
import type { Chip } from '../src/target/chip.js';

/** Fewer stripes than this overlap too little of loads and work. */
const LEAST_ITERATIONS = 4;

/** Within what all steps of the block leave free; `loadBytes`, by step, is kept up to date. */
export function growBlock(
  schedule: Schedule,
  block: ScheduledBlock,
  loadBytes: number[],
  share: number,
  chip: Chip,
): ScheduledBlock {
  const { first, last, form } = block.plan;
  let free = Number.POSITIVE_INFINITY;
  for (let t = first; t <= last; t += 1) free = Math.min(free, schedule.capacityBytes - (loadBytes[t] ?? 0));
  const room = block.plan.workspaceBytes + Math.floor(Math.max(0, free) * share);
  const planIfItFits = (larger: BlockForm): BlockPlan | undefined => {
    const plan = planBlock(block.shape, larger, schedule.alignmentBytes);
    const isTaller = larger.multiple > form.multiple;
    return plan.workspaceBytes > room || (isTaller && plan.iterations < LEAST_ITERATIONS) ? undefined : plan;
  };
  // Where weights are loaded for each stripe, other stripes would move other bytes; tails are whole stripes.
  const isFixed = form.streamed.size > 0 || block.tails.length > 0;
  const plan = largestRows(form, isFixed, planIfItFits) ?? bestPieces(block.shape, form, isFixed, planIfItFits, chip);
  if (plan === undefined) return block;
  for (let t = first; t <= last; t += 1)
    loadBytes[t] = (loadBytes[t] ?? 0) + plan.workspaceBytes - block.plan.workspaceBytes;
  return { ...block, plan, ...unplacedBuffers(plan) };
}

type PlanIfItFits = (form: BlockForm) => BlockPlan | undefined;

const DEPTHS = [2, 1] as const;

/** Whole rows, as many as may be. */
function largestRows(form: BlockForm, isFixed: boolean, planIfItFits: PlanIfItFits): BlockPlan | undefined {
  for (const multiple of isFixed ? [1] : [16, 8, 4, 2, 1]) {
    for (const depth of DEPTHS) {
      const plan = planIfItFits({ ...form, multiple: form.multiple * multiple, depth, pieces: 0, again: false });
      if (plan !== undefined) return plan;
    }
  }
  return undefined;
}

/** The pieces that take the fewest cycles, with halo rows kept or made again. */
function bestPieces(
  shape: BlockShape,
  form: BlockForm,
  isFixed: boolean,
  planIfItFits: PlanIfItFits,
  chip: Chip,
): BlockPlan | undefined {
  if (form.pieces === 0) return undefined;
  let best: { readonly plan: BlockPlan; readonly cycles: number } | undefined;
  for (const again of form.again ? [false, true] : [false]) {
    for (const multiple of isFixed ? [form.multiple] : [1, 2, 4, 8]) {
      for (const depth of DEPTHS) {
        for (let pieces = 256; pieces >= 1; pieces /= 2) {
          const plan = planIfItFits({ ...form, multiple, depth, pieces, again });
          if (plan === undefined) continue;
          const cycles = cyclesOf(plan, shape, chip);
          if (best === undefined || cycles < best.cycles) best = { plan, cycles };
          break; // narrower ones take longer
        }
      }
    }
  }
  return best?.plan;
}

/** What differs from one size of pieces to another: fills of the MAC array, rows made again, transfers that are waited for. */
function cyclesOf(plan: BlockPlan, shape: BlockShape, chip: Chip): number {
  const { mac, dma, dram } = chip;
  let cycles = 0;
  for (const { step, rowsPerIteration, againRows } of plan.layers) {
    const layer = layerAt(shape, step);
    if (layer === undefined) continue;
    cycles += workCycles(layer, chip) * (1 + againRows / rowsPerIteration);
    if (layer.kind === 'conv') cycles += commandsOf(plan, layer, rowsPerIteration) * (mac.rows + mac.columns);
  }
  const waits = plan.form.depth === 2 ? 0 : plan.rings.filter(({ role }) => role === 'input').length;
  const steps = plan.iterations * (plan.pieces?.pieces ?? 1);
  return cycles + waits * steps * (dma.setupCycles + dram.latencyCycles);
}

/** Of a layer of the block, in each tile of columns. */
function commandsOf({ pieces }: BlockPlan, { step, output }: Layer, rowsPerIteration: number): number {
  const perPiece = pieces?.layers.get(step)?.perPiece ?? Number.POSITIVE_INFINITY;
  return Math.ceil(output.h / rowsPerIteration) * Math.max(1, Math.ceil(output.w / perPiece));
}

/** Stripes and pieces mostly grow about fourfold, with the room that placement leaves. */
export const USUAL_GROWTH = 4;

/** Cycles that a block computes beyond its layers in one command each, once it has grown: fills of the array, rows made again. */
export function extraCyclesOf(
  plan: BlockPlan,
  shape: BlockShape,
  { mac, vector }: Pick<Chip, 'mac' | 'vector'>,
): number {
  let cycles = 0;
  for (const { step, rowsPerIteration, againRows } of plan.layers) {
    const layer = layerAt(shape, step);
    if (layer?.kind !== 'conv') continue;
    const commands = commandsOf(plan, layer, rowsPerIteration) * plan.tiles.length;
    if (!isDepthwise(layer)) cycles += (commands / USUAL_GROWTH) * (mac.rows + mac.columns);
    if (againRows > 0) cycles += (workCycles(layer, { mac, vector }) * againRows) / (USUAL_GROWTH * rowsPerIteration);
  }
  return cycles;
}

/** The vector unit computes it, which has no array to fill. */
function isDepthwise({ op, operands }: Layer): boolean {
  return op.kind === 'conv2d' && op.groups > 1 && op.groups === operands[0]?.c;
}

/** Cycles of all of a layer in one command. */
export function workCycles(
  { op, kind, output, operands }: Layer,
  { mac, vector }: Pick<Chip, 'mac' | 'vector'>,
): number {
  const pixels = output.h * output.w;
  if (kind !== 'conv') return (pixels * output.c) / vector.lanes;
  const groups = op.kind === 'conv2d' ? op.groups : 1;
  const taps = op.kind === 'conv2d' ? op.window.kernel[0] * op.window.kernel[1] : 1;
  const channels = (operands[0]?.c ?? 1) / groups;
  if (groups > 1 && channels === 1) return (pixels * output.c * taps) / vector.lanes;
  return pixels * taps * Math.ceil(channels / mac.rows) * groups * Math.ceil(output.c / groups / mac.columns);
}
