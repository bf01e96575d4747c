/** The compute command of one layer inside a block: its operands and its output are rings, or whole images in SRAM. */
import type { TensorId } from '../ir/types.js';
import type { BlockLayerPlan } from '../schedule/block.js';
import type { BlockTile, ColumnRange } from '../schedule/block-tiles.js';
import type { Operand } from '../schedule/layer.js';
import type { ScheduledBlock, ScheduledRing } from '../schedule/schedule.js';
import { type ComputeCommand, commandAt, frameSteps } from './compute-command.js';
import type { Fields } from './compute-fields.js';
import { type LayerContext, type RecordRun, stayOffset, type View } from './layer-views.js';

export interface BlockCommandContext {
  readonly context: LayerContext;
  readonly block: ScheduledBlock;
  readonly rings: readonly ScheduledRing[];
  readonly tile: BlockTile;
  readonly plan: BlockLayerPlan;
}

export function blockComputeCommand(at: BlockCommandContext, run: RecordRun | undefined): ComputeCommand {
  const { context, block, plan } = at;
  const { layer } = context.scheduled;
  const operand = (index: number): Operand => {
    const found = layer.operands[index];
    if (found === undefined) throw new Error(`${layer.op.name} has no operand ${index}`);
    const ring = at.rings.find((candidate) => candidate.root === found.root);
    return ring?.view ?? found;
  };
  const { output } = layer;
  const whole = commandAt(
    {
      program: context.schedule.program,
      layer,
      operand,
      operandView: (index) => viewOf(at, operand(index)),
      outputView: viewOf(at, output),
      outputChannels: output.c,
      tableAddress: tableAddressIn(at),
      row0: plan.firstRow - plan.againRows,
      rows: plan.rowsPerIteration + plan.againRows,
      columns: columnsOf(at),
    },
    run,
  );
  const sums = block.sums.find((candidate) => candidate.step === plan.step);
  const command =
    sums === undefined ? whole : { op: 'poolRows', fields: gatheringFields(whole.fields, sums.sramOffsetBytes) };
  const isWhole = (root: TensorId): boolean => at.rings.every((ring) => ring.root !== root);
  return { ...command, steps: frameSteps(context, ({ root }) => isWhole(root), isWhole(output.root)) };
}

/** Output columns of a tile; or of the first piece of a stripe, which later ones step on from. */
function columnsOf({ block, plan, tile, context }: BlockCommandContext): ColumnRange {
  const piece = block.plan.pieces?.layers.get(plan.step);
  if (piece !== undefined) return { start: piece.first, end: piece.first + piece.perPiece };
  return tile.layerColumns.get(plan.step) ?? { start: 0, end: context.scheduled.layer.output.w };
}

/** Pooling of the whole image needs no window, and takes its rows from the input. */
function gatheringFields(pool: Fields, sums: number): Fields {
  const isWindow = (name: string): boolean => /^(kernel|stride|pad|dilation|col)/.test(name);
  const kept = Object.entries(pool).filter(([name]) => !isWindow(name));
  return { ...Object.fromEntries(kept), mode: pool.mode === 2 ? 1 : (pool.mode ?? 0), sums };
}

/** A ring as the commands of a tile address it: its first column is the tile's. */
export function blockRingView(block: ScheduledBlock, ring: ScheduledRing, tile: BlockTile): View {
  if (ring.stripes !== undefined) {
    const stripes = stripeRegister(block, ring);
    return { base: ring.sramOffsetBytes, rowPitch: 0, pixelPitch: ring.pixelBytes, ring: 0, stripes };
  }
  const first = tile.rootColumns.get(ring.root)?.start ?? 0;
  const base = ring.sramOffsetBytes - first * ring.pixelBytes;
  return { base, rowPitch: ring.rowBytes, pixelPitch: ring.pixelBytes, ring: ring.rows };
}

/** The register that describes a ring of stripes. */
export function stripeRegister(block: ScheduledBlock, ring: ScheduledRing): number {
  return block.rings.findIndex((candidate) => candidate.root === ring.root) + 1;
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
  const ring = at.rings.find((candidate) => candidate.root === image.root);
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
  const view = blockRingView(at.block, ring, at.tile);
  return { ...view, base: view.base + offset };
}

/** Tables lie in front of the first records: resident ones, or those that are held or streamed. */
function tableAddressIn(at: BlockCommandContext): number {
  const { scheduled, step } = at.context;
  if (scheduled.layer.weights.headerBytes === 0) return 0;
  if (scheduled.residentBytes > 0) return scheduled.residentOffsetBytes;
  const held = at.block.held.find((candidate) => candidate.step === step);
  const chunks = at.block.chunks.find((candidate) => candidate.step === step);
  const buffer = held ?? chunks;
  if (buffer === undefined) throw new Error(`step ${step} has no tables`);
  return buffer.sramOffsetBytes;
}
