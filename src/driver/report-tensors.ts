/** The report's rows by tensor: where each one is, what it moves, and why, in words and numbers. */
import type { EmittedProgram } from '../backend/emit-program.js';
import type {
  Schedule,
  ScheduledBlock,
  ScheduledLayer,
  ScheduledRing,
  ScheduledRoot,
  Stay,
} from '../schedule/schedule.js';
import { weightsName } from '../schedule/weights-name.js';
import type { CountedTraffic } from './period-bytes.js';
import type { Report, TensorReport } from './report.js';
import { describeTiling } from './report-layers.js';

/** Activations in the order of the steps that make them, then weights by step, then the code. Their bytes add up to the period's. */
export function tensorReports(
  schedule: Schedule,
  counted: CountedTraffic,
  emitted: EmittedProgram,
  placement: Report['placement'],
): TensorReport[] {
  const { chip } = emitted;
  const moved = new Map<number, { readBytes: number; writeBytes: number }>();
  const weightReads = schedule.layers.map(() => 0);
  for (const entry of counted.entries) {
    if (entry.root === undefined) {
      weightReads[entry.step] = (weightReads[entry.step] ?? 0) + entry.readBytes;
      continue;
    }
    const sum = moved.get(entry.root) ?? { readBytes: 0, writeBytes: 0 };
    sum.readBytes += entry.readBytes;
    sum.writeBytes += entry.writeBytes;
    moved.set(entry.root, sum);
  }
  const activations = rootsInOrder(schedule).map((root): TensorReport => {
    const { readBytes, writeBytes } = moved.get(root.root) ?? { readBytes: 0, writeBytes: 0 };
    return {
      name: root.name,
      class:
        root.role === 'input' || root.role === 'output'
          ? root.role
          : root.role === 'constant'
            ? 'weights'
            : 'activations',
      bytes: root.sizeBytes,
      home: homeOf(schedule, root),
      readBytes,
      writeBytes,
      why: whyActivation(schedule, root, placement),
    };
  });
  const weights = schedule.layers.flatMap((scheduled, step): TensorReport[] => {
    const { totalBytes } = scheduled.layer.weights;
    if (totalBytes === 0) return [];
    const { residentBytes } = scheduled;
    return [
      {
        name: weightsName(scheduled.layer.op.name),
        class: 'weights',
        bytes: totalBytes,
        home: residentBytes === 0 ? 'dram' : residentBytes >= totalBytes ? 'sram' : 'sram+dram',
        readBytes: weightReads[step] ?? 0,
        writeBytes: 0,
        why: whyWeights(schedule, scheduled, weightReads[step] ?? 0),
      },
    ];
  });
  const code: TensorReport = {
    name: 'program.bin (code)',
    class: 'code',
    bytes: emitted.manifest.code.bytes,
    home: 'dram',
    readBytes: counted.period.byClass.code,
    writeBytes: 0,
    why: `fetched every period; loops of at most ${chip.commandFifoBytes} B stay in the command FIFO while they repeat`,
  };
  return [...activations, ...weights, code];
}

/** In the order of the steps that make them, which is that of their rows. */
export function rootsInOrder(schedule: Schedule): ScheduledRoot[] {
  return [...schedule.roots.values()].sort((a, b) => a.firstWrite - b.firstWrite || a.root - b.root);
}

/** The block inside which the root exists, as a rolling buffer of rows only. */
function blockAround(schedule: Schedule, root: ScheduledRoot): ScheduledBlock | undefined {
  const isInside = (ring: ScheduledRing): boolean => ring.root === root.root && ring.role === 'internal';
  return schedule.blocks.find((block) => block.rings.some(isInside));
}

function homeOf(schedule: Schedule, root: ScheduledRoot): TensorReport['home'] {
  if (blockAround(schedule, root) !== undefined) return 'sram';
  if (root.stays.length === 0) return 'dram';
  return root.inDram ? 'sram+dram' : 'sram';
}

function nameOfStep(schedule: Schedule, step: number): string {
  return `step ${step} (${schedule.layers[step]?.layer.op.name ?? '?'})`;
}

function describeStay(schedule: Schedule, stay: Pick<Stay, 'startStep' | 'endStep'>): string {
  const last = stay.endStep - 1;
  if (stay.startStep === last) return `at ${nameOfStep(schedule, last)}`;
  return `from ${nameOfStep(schedule, stay.startStep)} to ${nameOfStep(schedule, last)}`;
}

function whyActivation(schedule: Schedule, root: ScheduledRoot, placement: Report['placement']): string {
  const around = blockAround(schedule, root);
  if (around !== undefined) return whyRolling(schedule, root, around);
  const state = schedule.states.find(({ input, output }) => input === root.root || output === root.root);
  if (state?.inSram === true) {
    const what = state.input === root.root ? 'state of the period before' : 'its next value, in the same place';
    return `${what}: stays in SRAM from period to period, ${root.sizeBytes} B at 0x${(root.stays[0]?.sramOffsetBytes ?? 0).toString(16)}`;
  }
  const stays = root.stays.map((stay) => describeStay(schedule, stay)).join('; again ');
  if (!root.inDram) {
    const offset = root.stays[0]?.sramOffsetBytes ?? 0;
    return `kept in SRAM ${stays}: ${root.sizeBytes} B at 0x${offset.toString(16)}`;
  }
  const streamed = streamedSteps(schedule, root);
  if (root.role === 'constant') {
    if (stays === '') return `constant operand: streamed from DRAM by ${streamed}`;
    return `constant operand: loaded whole and kept in SRAM ${stays}`;
  }
  if (root.role === 'state') {
    if (root.firstWrite >= 0) return 'state: its next value is written to DRAM for the next period';
    if (stays === '') return `state of the period before: streamed from DRAM by ${streamed}`;
    return `state of the period before: loaded whole and kept in SRAM ${stays}`;
  }
  if (root.role === 'input') {
    if (stays === '') return `model input: streamed from DRAM by ${streamed}`;
    return `model input: loaded whole and kept in SRAM ${stays}`;
  }
  if (root.role === 'output') {
    if (stays === '') return `model output: streamed to DRAM as it is made`;
    return `model output: made in SRAM ${stays}, then copied to DRAM`;
  }
  const partly = partlyOut(schedule, root);
  if (partly !== '') return `kept in SRAM ${stays}, ${partly}`;
  if (placement === 'none') return `placement 'none' keeps nothing in SRAM: written once, read by ${streamed}`;
  const reason = whyNotKept(schedule, root);
  if (stays === '') return `DRAM: streamed out as it is made, read by ${streamed}; ${reason}`;
  if (root.isSpilled) {
    const later = streamed === '' ? 'reloaded' : `read from DRAM by ${streamed}`;
    return `spilled: in SRAM ${stays}, with a copy in DRAM that is ${later}; ${reason}`;
  }
  return `DRAM, reloaded: in SRAM ${stays}; ${reason}`;
}

/** When only the first bytes of a root are in SRAM; empty where that is never so. */
function partlyOut(schedule: Schedule, root: ScheduledRoot): string {
  const out = schedule.evictions.filter((eviction) => eviction.root === root.root);
  const parts = out.map(({ first, last, keptBytes }) => {
    const where = describeStay(schedule, { startStep: first, endStep: last + 1 });
    return `its last ${root.sizeBytes - keptBytes} B in DRAM ${where}`;
  });
  return parts.length === 0 ? '' : `but ${parts.join(' and ')}, where there is no room for them`;
}

function whyRolling(schedule: Schedule, root: ScheduledRoot, block: ScheduledBlock): string {
  const { first, last } = block.plan;
  const ring = block.rings.find((candidate) => candidate.root === root.root);
  const where = `in block ${schedule.blocks.indexOf(block)}, ${nameOfStep(schedule, first)} to ${nameOfStep(schedule, last)}`;
  if (ring?.stripes !== undefined) {
    const { kept, height } = ring.stripes;
    const halo = kept === 0 ? '' : `the last ${kept} of ${height} rows of each stripe and `;
    return `rolls through SRAM ${where}: ${halo}a piece of ${ring.rowBytes / ring.pixelBytes} columns with its halo in ${ring.sizeBytes} B, never ${root.sizeBytes} B at once`;
  }
  const tiles = block.plan.tiles.length > 1 ? ` of one of ${block.plan.tiles.length} tiles of columns` : '';
  return `rolls through SRAM ${where}: ${ring?.rows ?? 0} rows${tiles} at a time in ${ring?.sizeBytes ?? 0} B, never ${root.sizeBytes} B at once`;
}

/** The steps that read the root from DRAM piece by piece. */
function streamedSteps(schedule: Schedule, root: ScheduledRoot): string {
  const steps = root.reads.filter((step) => {
    const scheduled = schedule.layers[step];
    const block = schedule.blocks[scheduled?.block ?? -1];
    if (block !== undefined) return block.plan.inputReadBytes.has(root.root);
    return scheduled?.layer.operands.some(
      (operand, i) => operand.root === root.root && scheduled.tiling.operandsFromSram[i] !== true,
    );
  });
  const names = steps.slice(0, 3).map((step) => nameOfStep(schedule, step));
  return steps.length > 3 ? `${names.join(', ')} and ${steps.length - 3} more` : names.join(', ');
}

/** The step of its life at which there is least room, with what stands there. */
function whyNotKept(schedule: Schedule, root: ScheduledRoot): string {
  const last = root.reads[root.reads.length - 1] ?? root.lastWrite;
  let tightest = Math.max(0, root.firstWrite);
  const others = (step: number): number => {
    const isIn = root.stays.some((stay) => stay.startStep <= step && step < stay.endStep);
    return (schedule.loadBytes[step] ?? 0) - (isIn ? root.frameStrideBytes * schedule.batch : 0);
  };
  for (let step = tightest; step <= last; step += 1) if (others(step) > others(tightest)) tightest = step;
  const resident = schedule.residentBytes;
  const free = Math.max(0, schedule.capacityBytes - others(tightest));
  const beside = Math.max(0, others(tightest) - resident);
  const where = nameOfStep(schedule, tightest);
  const stand = `${resident} B of resident weights and ${beside} B of other buffers`;
  const value = schedule.record.sramValue[tightest] ?? 0;
  const worth = value > 0 ? `, each worth ${value.toFixed(2)} B of traffic a frame` : '';
  if (free >= root.sizeBytes) {
    return `its ${root.sizeBytes} B would fit at ${where}, but the plan found nothing to save by it`;
  }
  return `its ${root.sizeBytes} B would not fit at ${where}: ${free} B are free beside ${stand}${worth}`;
}

function whyWeights(schedule: Schedule, scheduled: ScheduledLayer, readBytes: number): string {
  const { residentBytes, tiling, layer } = scheduled;
  const { totalBytes } = layer.weights;
  if (residentBytes >= totalBytes) return 'resident: loaded once by the prologue, in SRAM for every frame after it';
  const rest = totalBytes - residentBytes;
  const times = readBytes / Math.max(1, rest);
  const isHeld = tiling.weights !== 'streamed';
  const how = isHeld
    ? `loaded whole when the ${scheduled.block === undefined ? 'layer' : 'block'} starts`
    : `streamed (${describeTiling(schedule, scheduled)})`;
  const often = times > 1.01 ? `, ${times.toFixed(1)} times a period` : '';
  if (residentBytes === 0) return `${how}${often}: other bytes save more traffic for the SRAM that they take`;
  const share = Math.round((100 * residentBytes) / totalBytes);
  return `${share} % resident (${residentBytes} B); the other ${rest} B are ${how}${often}`;
}
