/** SRAM that holds features at a step: tensors that stay, rolling buffers, buffers of operands and outputs. Weights are not among them. */
import type { Schedule, ScheduledRoot } from '../schedule/schedule.js';
import type { WorkspaceBuffer } from '../schedule/tiling.js';

export const WEIGHT_BUFFERS: ReadonlySet<WorkspaceBuffer['role']> = new Set(['chunk', 'held', 'tables']);

/** At the step that has most. */
export function mostFeatureBytes(schedule: Schedule): number {
  return schedule.layers.reduce((most, _, step) => Math.max(most, featureBytesAt(schedule, step)), 0);
}

function featureBytesAt(schedule: Schedule, step: number): number {
  const scheduled = schedule.layers[step];
  const block = schedule.blocks[scheduled?.block ?? -1];
  const buffers =
    block === undefined
      ? (scheduled?.workspace ?? []).filter(({ role }) => !WEIGHT_BUFFERS.has(role))
      : [...block.rings, ...block.sums, ...block.tails.map(({ ring }) => ring)];
  let bytes = buffers.reduce((total, buffer) => total + buffer.sizeBytes, 0);
  for (const root of schedule.roots.values()) {
    if (!isThere(root, step)) continue;
    const over = root.overwrites === undefined ? undefined : schedule.roots.get(root.overwrites);
    if (over !== undefined && isThere(over, step)) continue; // one buffer for both
    const out = schedule.evictions.find((one) => one.root === root.root && one.first <= step && step <= one.last);
    bytes += out?.keptBytes ?? root.frameStrideBytes * schedule.batch;
  }
  return bytes;
}

function isThere(root: ScheduledRoot, step: number): boolean {
  return root.stays.some(({ startStep, endStep }) => startStep <= step && step < endStep);
}
