/** The plan as report.html draws it: rectangles of SRAM over steps, arrows between layers, blocks. */
import type { Timeline } from '../backend/timeline.js';
import type { TensorId } from '../ir/types.js';
import {
  ringLife,
  type Schedule,
  type ScheduledBlock,
  type ScheduledLayer,
  type ScheduledRoot,
  type Stay,
  tablesStart,
  type WeightRing,
} from '../schedule/schedule.js';
import { alignUp, type WorkspaceBuffer } from '../schedule/tiling.js';
import type { Compiled } from './compile.js';
import { withEarlyLoads } from './early-loads.js';
import { WEIGHT_BUFFERS } from './feature-bytes.js';
import type { LayerEdge, PageBlock, PagePlan, PlacedBuffer } from './page-data.js';
import { rootsInOrder } from './report-tensors.js';

/** Where the rows of report.tensors are. */
interface TensorRows {
  readonly ofRoot: ReadonlyMap<TensorId, number>;
  readonly ofWeights: readonly number[]; // by step
}

/** @param timeline of the period of that program */
export function pagePlan({ schedule, emitted }: Pick<Compiled, 'schedule' | 'emitted'>, timeline: Timeline): PagePlan {
  const rows = tensorRows(schedule);
  return {
    programSha256: emitted.manifest.hashes['program.bin'],
    buffers: withEarlyLoads(placedBuffers(schedule, rows), schedule, emitted.stream.period, timeline),
    edges: layerEdges(schedule, rows),
    blocks: schedule.blocks.map(
      ({ plan }): PageBlock => ({
        first: plan.first,
        last: plan.last,
        stripes: plan.iterations,
        tiles: plan.tiles.length,
        pieces: plan.pieces?.pieces ?? 1,
      }),
    ),
    timeline: timeline.bins,
  };
}

/** tensorReports lists the roots first, then the weights of the layers that have any. */
function tensorRows(schedule: Schedule): TensorRows {
  const roots = rootsInOrder(schedule);
  let next = roots.length;
  return {
    ofRoot: new Map(roots.map(({ root }, row) => [root, row])),
    ofWeights: schedule.layers.map(({ layer }) => (layer.weights.totalBytes === 0 ? -1 : next++)),
  };
}

function placedBuffers(schedule: Schedule, rows: TensorRows): PlacedBuffer[] {
  return [
    ...residents(schedule, rows),
    ...[...schedule.roots.values()].flatMap((root) =>
      root.stays.flatMap((stay) => stayBuffers(schedule, root, stay, rows)),
    ),
    ...schedule.layers.flatMap((scheduled, step) =>
      scheduled.workspace.map((buffer) => workspaceBuffer(schedule, scheduled, step, buffer, rows)),
    ),
    ...(schedule.weightRings ?? []).map((ring) => ringBuffer(schedule, ring, rows)),
    ...schedule.blocks.flatMap((block) => blockBuffers(schedule, block, rows)),
  ].filter(({ sizeBytes }) => sizeBytes > 0);
}

function residents(schedule: Schedule, rows: TensorRows): PlacedBuffer[] {
  return schedule.layers.flatMap(({ residentBytes, residentOffsetBytes, layer }, step): PlacedBuffer[] =>
    residentBytes === 0
      ? []
      : [
          {
            kind: 'resident',
            tensor: rows.ofWeights[step] ?? -1,
            startStep: 0,
            endStep: schedule.layers.length,
            offsetBytes: residentOffsetBytes,
            sizeBytes: residentBytes,
            note: residentBytes < layer.weights.totalBytes ? 'resident share of the weights' : 'resident weights',
          },
        ],
  );
}

/** One rectangle, or several where parts of the tensor are in DRAM for some steps. */
function stayBuffers(schedule: Schedule, root: ScheduledRoot, stay: Stay, rows: TensorRows): PlacedBuffer[] {
  const wholeBytes = root.frameStrideBytes * schedule.batch;
  const out = schedule.evictions
    .filter(({ root: id, first, last }) => id === root.root && first >= stay.startStep && last < stay.endStep)
    .sort((a, b) => a.first - b.first);
  const frames = schedule.batch > 1 ? `, ${schedule.batch} frames` : '';
  const [under, over] = [overwritten(schedule, root, stay), overwriter(schedule, root, stay)];
  const one = (startStep: number, endStep: number, sizeBytes: number, note: string): PlacedBuffer => ({
    kind: 'tensor',
    tensor: rows.ofRoot.get(root.root) ?? -1,
    startStep,
    endStep,
    offsetBytes: stay.sramOffsetBytes,
    sizeBytes,
    note: `${note}${frames}`,
    ...(startStep === stay.startStep ? defined('overUntil', under?.endStep) : {}),
    ...(endStep === stay.endStep ? defined('underFrom', over?.startStep) : {}),
  });
  const buffers: PlacedBuffer[] = [];
  let from = stay.startStep;
  for (const { first, last, keptBytes } of out) {
    if (first > from) buffers.push(one(from, first, wholeBytes, 'whole'));
    buffers.push(one(first, last + 1, alignUp(keptBytes, schedule.alignmentBytes), 'the part that stays in SRAM'));
    from = last + 1;
  }
  if (from < stay.endStep) buffers.push(one(from, stay.endStep, wholeBytes, 'whole'));
  return buffers;
}

const defined = <Name extends string>(name: Name, value: number | undefined): { [N in Name]?: number } =>
  value === undefined ? {} : ({ [name]: value } as { [N in Name]?: number });

/** The stay of the operand that this one is written over. */
function overwritten({ roots }: Schedule, { overwrites }: ScheduledRoot, stay: Stay): Stay | undefined {
  if (stay.origin !== 'produced' || overwrites === undefined) return undefined;
  return roots
    .get(overwrites)
    ?.stays.find(({ startStep, endStep }) => startStep <= stay.startStep && stay.startStep < endStep);
}

/** The stay that is written over this one. */
function overwriter(schedule: Schedule, { root }: ScheduledRoot, stay: Stay): Stay | undefined {
  return [...schedule.roots.values()]
    .filter(({ overwrites }) => overwrites === root)
    .flatMap((over) => over.stays.filter((one) => overwritten(schedule, over, one) === stay))[0];
}

/** Under the name of the first of its layers. */
function ringBuffer({ layers }: Schedule, ring: WeightRing, rows: TensorRows): PlacedBuffer {
  const { steps, slots, slotBytes, sramOffsetBytes } = ring;
  const { first, last } = ringLife(ring);
  return {
    kind: 'weights',
    tensor: rows.ofWeights[first] ?? -1,
    startStep: first,
    endStep: last + 1,
    offsetBytes: sramOffsetBytes,
    sizeBytes: slots * slotBytes,
    note: `ring of ${slots} slots that the weights of ${steps.length} layers come through, up to ${layers[last]?.layer.op.name}`,
  };
}

function workspaceBuffer(
  schedule: Schedule,
  { layer, tiling }: ScheduledLayer,
  step: number,
  buffer: WorkspaceBuffer & { readonly sramOffsetBytes: number },
  rows: TensorRows,
): PlacedBuffer {
  const isOfWeights = WEIGHT_BUFFERS.has(buffer.role);
  const operand = /^operand(\d)$/.exec(buffer.role)?.[1];
  const root = operand === undefined ? layer.output.root : layer.operands[Number(operand)]?.root;
  const notes: Record<WorkspaceBuffer['role'], string> = {
    chunk: `${tiling.depth === 2 ? 'double buffer' : 'buffer'} of chunks of ${tiling.chunkChannels} channels`,
    held: 'weights held while the layer runs',
    tables: 'tables of the weights',
    operand0: 'rows on their way in',
    operand1: 'rows on their way in',
    operand2: 'rows on their way in',
    output: 'rows on their way out',
  };
  return {
    kind: isOfWeights ? 'weights' : 'staging',
    tensor: (isOfWeights ? rows.ofWeights[step] : root === undefined ? undefined : rows.ofRoot.get(root)) ?? -1,
    startStep: buffer.role === 'tables' ? tablesStart(schedule, step) : step,
    endStep: step + 1,
    offsetBytes: buffer.sramOffsetBytes,
    sizeBytes: buffer.sizeBytes,
    note: notes[buffer.role],
  };
}

function blockBuffers(schedule: Schedule, block: ScheduledBlock, rows: TensorRows): PlacedBuffer[] {
  const life = { startStep: block.plan.first, endStep: block.plan.last + 1 };
  const outputRow = (step: number): number => {
    const root = schedule.layers[step]?.layer.output.root;
    return (root === undefined ? undefined : rows.ofRoot.get(root)) ?? -1;
  };
  const rolling = { internal: 'made and used', input: 'on their way in', output: 'on their way out' };
  return [
    ...block.rings.map(
      (ring): PlacedBuffer => ({
        ...life,
        kind: ring.role === 'internal' ? 'rolling' : 'staging',
        tensor: rows.ofRoot.get(ring.root) ?? -1,
        offsetBytes: ring.sramOffsetBytes,
        sizeBytes: ring.sizeBytes,
        note:
          ring.stripes === undefined
            ? `rolling buffer of ${ring.rows} rows, ${rolling[ring.role]}`
            : `rolling buffer of pieces of columns with their halo, ${rolling[ring.role]}`,
      }),
    ),
    ...block.tails.map(({ ring, keptRows }): PlacedBuffer => {
      const stay = schedule.roots.get(ring.root)?.stays.find(({ startStep }) => startStep >= life.startStep);
      const kept = schedule.evictions.find(({ root, first }) => root === ring.root && first === life.startStep);
      const start = (stay?.sramOffsetBytes ?? 0) + alignUp(kept?.keptBytes ?? 0, schedule.alignmentBytes);
      return {
        ...life,
        kind: 'staging',
        tensor: rows.ofRoot.get(ring.root) ?? -1,
        offsetBytes: start,
        sizeBytes: ring.sizeBytes,
        note: `rows after the first ${keptRows} on their way out`,
      };
    }),
    ...block.held.map(
      ({ step, sizeBytes, sramOffsetBytes }): PlacedBuffer => ({
        ...life,
        kind: 'weights',
        tensor: rows.ofWeights[step] ?? -1,
        offsetBytes: sramOffsetBytes,
        sizeBytes,
        note: 'weights held while the block runs',
      }),
    ),
    ...block.chunks.map(
      ({ step, sizeBytes, sramOffsetBytes, buffers, chunkChannels }): PlacedBuffer => ({
        ...life,
        kind: 'weights',
        tensor: rows.ofWeights[step] ?? -1,
        offsetBytes: sramOffsetBytes,
        sizeBytes,
        note: `${buffers === 2 ? 'double buffer' : 'buffer'} of chunks of ${chunkChannels} channels`,
      }),
    ),
    ...block.sums.map(
      ({ step, sizeBytes, sramOffsetBytes }): PlacedBuffer => ({
        ...life,
        kind: 'sums',
        tensor: outputRow(step),
        offsetBytes: sramOffsetBytes,
        sizeBytes,
        note: 'running sums of its channels, 4 bytes each',
      }),
    ),
  ];
}

function layerEdges(schedule: Schedule, rows: TensorRows): LayerEdge[] {
  const edges: LayerEdge[] = [];
  for (const root of rootsInOrder(schedule)) {
    const makers = schedule.layers.flatMap(({ layer }, step) => (layer.output.root === root.root ? [step] : []));
    for (const to of new Set(root.reads)) {
      const before = makers.filter((step) => step < to);
      for (const from of before.length === 0 ? [-1] : before) {
        edges.push({ tensor: rows.ofRoot.get(root.root) ?? -1, from, to });
      }
    }
  }
  return edges;
}
