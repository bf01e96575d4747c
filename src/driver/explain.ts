/** Why a plan is as it is, and why a tensor is where it is: its life, what stands beside it, what keeping it would cost by the dual values of the SRAM. */
import { weightsName } from '../schedule/weights-name.js';
import type { PagePlan, PlacedBuffer } from './page-data.js';
import type { LayerReport, Report, TensorReport } from './report.js';

export interface Explanation {
  readonly tensor: TensorReport;
  /** Steps that write it, read it or hold it, and all between; null for the code, which belongs to none. */
  readonly life: { readonly first: number; readonly last: number } | null;
  readonly madeAt: readonly number[];
  readonly readAt: readonly number[];
  /** Where it is in SRAM, in order of steps. */
  readonly inSram: readonly Pick<
    PlacedBuffer,
    'kind' | 'startStep' | 'endStep' | 'offsetBytes' | 'sizeBytes' | 'note'
  >[];
  /** The step of its life with most in SRAM. */
  readonly fullest: {
    readonly step: number;
    readonly layer: string;
    readonly sramBytes: number;
    readonly freeBytes: number;
    readonly residentBytes: number;
    /** What else is there, the largest first; what keeping it would displace. */
    readonly beside: readonly {
      readonly tensor: number;
      readonly name: string;
      readonly kind: PlacedBuffer['kind'];
      readonly bytes: number;
    }[];
  } | null;
  /** Null where keeping it would move nothing less, or nothing was solved. */
  readonly keeping: {
    readonly savedBytes: number; // at most: its own traffic of a frame
    readonly missingByteSteps: number; // bytes times steps that it is not in SRAM
    readonly worthBytes: number; // of a frame: what those bytes of SRAM save elsewhere, by the dual values
  } | null;
  readonly margin: Margin | null;
}

/**
 * What a little more SRAM is worth, and a little less costs, in traffic of a frame. By the dual values of the relaxation: its traffic is
 * a convex function of the SRAM, so that its slope here is the most that more can save and the least that less costs.
 */
export interface Margin {
  readonly bytes: number; // a MiB, or less where that were a large part of the SRAM
  readonly moreSavesBytes: number; // at most
  readonly lessCostsBytes: number; // at least
}

export interface PlanExplanation {
  /** Null where nothing was solved, or where no step has a dual value. */
  readonly margin: Margin | null;
  /** Steps at which a byte of SRAM is worth something, the dearest first. */
  readonly tight: readonly (Pick<LayerReport, 'step' | 'name' | 'sramBytes' | 'sramValue'> & {
    readonly freeBytes: number;
  })[];
  /** Tensors by their traffic of a frame, the largest first; the code is one of them. */
  readonly costly: readonly (Pick<TensorReport, 'name' | 'class' | 'home' | 'bytes' | 'why'> & {
    readonly trafficBytes: number;
  })[];
}

const MIB = 2 ** 20;
const MOST_BESIDE = 8;
const MOST_OF_PLAN = 12;

export function explainPlan(report: Report): PlanExplanation {
  const { batch, layers, sram, tensors } = report;
  return {
    margin: marginOf(report),
    tight: layers
      .filter(({ sramValue }) => sramValue > 0)
      .sort((a, b) => b.sramValue - a.sramValue || a.step - b.step)
      .slice(0, MOST_OF_PLAN)
      .map(({ step, name, sramBytes, sramValue }) => ({
        step,
        name,
        sramBytes,
        sramValue,
        freeBytes: Math.max(0, sram.capacityBytes - sramBytes),
      })),
    costly: tensors
      .map(({ name, class: kind, home, bytes, why, readBytes, writeBytes }) => ({
        name,
        class: kind,
        home,
        bytes,
        why,
        trafficBytes: Math.round((readBytes + writeBytes) / batch),
      }))
      .filter(({ trafficBytes }) => trafficBytes > 0)
      .sort((a, b) => b.trafficBytes - a.trafficBytes)
      .slice(0, MOST_OF_PLAN),
  };
}

/** @param index into report.tensors */
export function explain(report: Report, plan: PagePlan, index: number): Explanation | undefined {
  const tensor = report.tensors[index];
  if (tensor === undefined) return undefined;
  const inSram = plan.buffers.filter((buffer) => buffer.tensor === index).sort((a, b) => a.startStep - b.startStep);
  const edges = plan.edges.filter((edge) => edge.tensor === index);
  const makers = report.layers.filter(({ name }) => weightsName(name) === tensor.name).map(({ step }) => step);
  const madeAt = sorted(edges.flatMap(({ from }) => (from < 0 ? [] : [from])));
  const readAt = sorted([...edges.map(({ to }) => to), ...(tensor.class === 'weights' ? makers : [])]);
  const held = inSram.filter(({ kind }) => kind !== 'resident');
  const steps = [...madeAt, ...readAt, ...held.flatMap(({ startStep, endStep }) => [startStep, endStep - 1])];
  const life = steps.length === 0 ? null : { first: Math.min(...steps), last: Math.max(...steps) };
  const during = life === null ? [] : report.layers.slice(life.first, life.last + 1);
  const fullest = during.reduce<LayerReport | undefined>(
    (a, b) => (a !== undefined && a.sramBytes >= b.sramBytes ? a : b),
    undefined,
  );
  const isSolved = report.layers.some(({ sramValue }) => sramValue > 0);
  return {
    tensor,
    life,
    madeAt,
    readAt,
    inSram: inSram.map(({ kind, startStep, endStep, offsetBytes, sizeBytes, note }) => ({
      kind,
      startStep,
      endStep,
      offsetBytes,
      sizeBytes,
      note,
    })),
    fullest:
      fullest === undefined
        ? null
        : {
            step: fullest.step,
            layer: fullest.name,
            sramBytes: fullest.sramBytes,
            freeBytes: Math.max(0, report.sram.capacityBytes - fullest.sramBytes),
            residentBytes: report.sram.residentWeightBytes,
            beside: besides(report, plan, fullest.step, index),
          },
    keeping:
      isSolved && tensor.readBytes + tensor.writeBytes > 0 && tensor.class !== 'code'
        ? keeping(report, tensor, inSram, during)
        : null,
    margin: marginOf(report),
  };
}

function besides(
  { tensors }: Report,
  plan: PagePlan,
  step: number,
  index: number,
): NonNullable<Explanation['fullest']>['beside'] {
  return plan.buffers
    .filter((b) => b.kind !== 'resident' && b.tensor !== index && b.startStep <= step && step < b.endStep)
    .sort((a, b) => b.sizeBytes - a.sizeBytes)
    .slice(0, MOST_BESIDE)
    .map(({ tensor, kind, sizeBytes, note }) => ({
      tensor,
      name: tensors[tensor]?.name ?? note,
      kind,
      bytes: sizeBytes,
    }));
}

/** Weights would be in SRAM at all steps, for ever; an activation while it lives. */
function keeping(
  { batch, layers }: Report,
  tensor: TensorReport,
  inSram: readonly PlacedBuffer[],
  during: readonly LayerReport[],
): Explanation['keeping'] {
  const isForEver = tensor.class === 'weights';
  let [missingByteSteps, worthBytes] = [0, 0];
  for (const { step, sramValue } of isForEver ? layers : during) {
    const there = inSram
      .filter((b) => b.startStep <= step && step < b.endStep && (!isForEver || b.kind === 'resident'))
      .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const missing = Math.max(0, tensor.bytes - there);
    missingByteSteps += missing;
    worthBytes += missing * sramValue;
  }
  // The first write of an output and the first read of an input stay.
  const needed = tensor.class === 'output' || tensor.class === 'input' ? tensor.bytes : 0;
  const savedBytes = Math.max(0, (tensor.readBytes + tensor.writeBytes) / batch - needed);
  return { savedBytes: Math.round(savedBytes), missingByteSteps, worthBytes: Math.round(worthBytes) };
}

function marginOf({ batch, bound, layers, perFrameBytes, sram }: Report): Margin | null {
  const value = layers.reduce((sum, { sramValue }) => sum + sramValue, 0);
  if (value === 0) return null;
  let bytes = MIB;
  while (bytes > 16 && bytes * 4 > sram.capacityBytes) bytes /= 2;
  // What is compulsory in the larger SRAM remains, however steep the slope is.
  const remaining = Math.max(0, perFrameBytes - Math.max(0, bound.compulsoryBytes - bytes) / batch);
  const lessCostsBytes = Math.round(value * bytes);
  return { bytes, moreSavesBytes: Math.min(lessCostsBytes, Math.round(remaining)), lessCostsBytes };
}

function sorted(steps: readonly number[]): number[] {
  return [...new Set(steps)].sort((a, b) => a - b);
}
