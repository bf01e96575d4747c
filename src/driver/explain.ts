/** Why a tensor is where it is: its life, what stands beside it, what keeping it would cost by the dual values of the SRAM. */
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
  /** Traffic of a frame that one more MiB would save, or one less cost, to first order by the relaxation; null where nothing was solved. */
  readonly oneMiBBytes: number | null;
}

const MIB = 2 ** 20;
const MOST_BESIDE = 8;

/** @param index into report.tensors */
export function explain(report: Report, plan: PagePlan, index: number): Explanation | undefined {
  const tensor = report.tensors[index];
  if (tensor === undefined) return undefined;
  const inSram = plan.buffers.filter((buffer) => buffer.tensor === index).sort((a, b) => a.startStep - b.startStep);
  const edges = plan.edges.filter((edge) => edge.tensor === index);
  const makers = report.layers.filter(({ name }) => `${name} (weights)` === tensor.name).map(({ step }) => step);
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
    oneMiBBytes: isSolved ? oneMiB(report) : null,
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

function oneMiB({ layers }: Report): number {
  return Math.round(layers.reduce((sum, { sramValue }) => sum + sramValue, 0) * MIB);
}

function sorted(steps: readonly number[]): number[] {
  return [...new Set(steps)].sort((a, b) => a - b);
}
