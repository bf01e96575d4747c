/** The compute command of one layer inside a block: its operands and its output are rings, or whole images in SRAM. */
import type { TensorId } from '../ir/types.js';
import type { BlockLayerPlan } from '../schedule/block.js';
import type { Operand } from '../schedule/layer.js';
import type { ScheduledBlock } from '../schedule/schedule.js';
import { type ComputeCommand, commandAt, frameSteps } from './compute-command.js';
import { type LayerContext, type RecordRun, stayOffset, type View } from './layer-views.js';

export interface BlockCommandContext {
  readonly context: LayerContext;
  readonly block: ScheduledBlock;
  readonly plan: BlockLayerPlan;
}

export function blockComputeCommand(at: BlockCommandContext, run: RecordRun | undefined): ComputeCommand {
  const { context, block, plan } = at;
  const { layer } = context.scheduled;
  const operand = (index: number): Operand => {
    const found = layer.operands[index];
    if (found === undefined) throw new Error(`${layer.op.name} has no operand ${index}`);
    const ring = block.rings.find((candidate) => candidate.root === found.root);
    return ring?.view ?? found;
  };
  const { output } = layer;
  const command = commandAt(
    {
      program: context.schedule.program,
      layer,
      operand,
      operandView: (index) => viewOf(at, operand(index)),
      outputView: viewOf(at, output),
      outputChannels: output.c,
      tableAddress: tableAddressIn(at),
      row0: plan.firstRow,
      rows: plan.rowsPerIteration,
      columns: { start: 0, end: output.w },
    },
    run,
  );
  const isWhole = (root: TensorId): boolean => block.rings.every((ring) => ring.root !== root);
  return { ...command, steps: frameSteps(context, ({ root }) => isWhole(root), isWhole(output.root)) };
}

/** The view of a slice of a root: within the root's ring, or within the whole root in SRAM. */
function viewOf(
  at: BlockCommandContext,
  image: {
    readonly root: TensorId;
    readonly offsetBytes: number;
    readonly rowPitchBytes: number;
    readonly pixelPitchBytes: number;
  },
): View {
  const ring = at.block.rings.find((candidate) => candidate.root === image.root);
  if (ring === undefined) {
    return {
      base: stayOffset(at.context, image.root) + image.offsetBytes,
      rowPitch: image.rowPitchBytes,
      pixelPitch: image.pixelPitchBytes,
      ring: 0,
    };
  }
  // A ring made for one view holds that view alone.
  const offset = ring.view === undefined ? image.offsetBytes : 0;
  return { base: ring.sramOffsetBytes + offset, rowPitch: ring.rowBytes, pixelPitch: ring.pixelBytes, ring: ring.rows };
}

/** Tables lie in front of the first records: resident ones, or those that are held. */
function tableAddressIn(at: BlockCommandContext): number {
  const { scheduled, step } = at.context;
  if (scheduled.layer.weights.headerBytes === 0) return 0;
  if (scheduled.residentBytes > 0) return scheduled.residentOffsetBytes;
  const held = at.block.held.find((candidate) => candidate.step === step);
  if (held === undefined) throw new Error(`step ${step} has no tables`);
  return held.sramOffsetBytes;
}
