/**
 * The referee of addresses: lists every byte that two buffers claim at one step, and everything outside the SRAM or off its
 * alignment. Plain and quadratic on purpose; shares nothing with the allocator.
 */
import { type Schedule, tablesStart } from './schedule.js';

interface Claim {
  readonly name: string;
  readonly startStep: number;
  readonly endStep: number;
  readonly low: number;
  readonly high: number;
  /** Name of the claim that this one is written over, pixel for pixel, in the steps that produce it. */
  readonly over?: string;
}

export function addressProblems(schedule: Schedule): string[] {
  const problems: string[] = [];
  const claims = claimsOf(schedule);
  for (const claim of claims) {
    if (claim.low < 0 || claim.high > schedule.capacityBytes)
      problems.push(
        `${claim.name} lies at [${claim.low}, ${claim.high}), outside the ${schedule.capacityBytes} B of SRAM`,
      );
  }
  // Whole for a moment between two steps: into memory that something else may have across both.
  for (const { root, last } of schedule.evictions) {
    if (schedule.evictions.some((next) => next.root === root && next.first === last + 1))
      problems.push(`%${root} comes back between steps ${last} and ${last + 1}, to leave again`);
  }
  for (let i = 0; i < claims.length; i += 1) {
    for (let j = i + 1; j < claims.length; j += 1) {
      const a = claims[i];
      const b = claims[j];
      if (a === undefined || b === undefined || a.high <= b.low || b.high <= a.low) continue;
      const start = Math.max(a.startStep, b.startStep);
      const end = Math.min(a.endStep, b.endStep);
      if (end <= start) continue;
      const isHandover = a.low === b.low && (handsOver(b, a, start, end) || handsOver(a, b, start, end));
      if (!isHandover)
        problems.push(
          `${a.name} and ${b.name} share SRAM [${Math.max(a.low, b.low)}, ${Math.min(a.high, b.high)}) at step ${start}`,
        );
    }
  }
  return problems;
}

function claimsOf(schedule: Schedule): Claim[] {
  const claims: Claim[] = [];
  const startOf = (step: number, role: string, start: number): number => {
    const early = (schedule.prefetches ?? []).filter((prefetch) => prefetch.step === step && prefetch.role === role);
    return Math.min(start, ...early.map(({ issuedAt }) => issuedAt));
  };
  const steps = schedule.layers.length;
  schedule.layers.forEach((scheduled, t) => {
    if (scheduled.residentBytes > 0) {
      const low = scheduled.residentOffsetBytes;
      claims.push({
        name: `resident weights of ${scheduled.layer.op.name}`,
        startStep: 0,
        endStep: steps,
        low,
        high: low + scheduled.residentBytes,
      });
    }
    for (const buffer of scheduled.workspace) {
      claims.push({
        name: `${buffer.role} of ${scheduled.layer.op.name}`,
        startStep: startOf(t, buffer.role, buffer.role === 'tables' ? tablesStart(schedule, t) : t),
        endStep: t + 1,
        low: buffer.sramOffsetBytes,
        high: buffer.sramOffsetBytes + buffer.sizeBytes,
      });
    }
  });
  for (const { steps, slotBytes, slots, sramOffsetBytes } of schedule.weightRings ?? [])
    claims.push({
      name: `weights of steps ${steps[0]} to ${steps.at(-1)}`,
      startStep: steps[0] ?? 0,
      endStep: (steps.at(-1) ?? 0) + 1,
      low: sramOffsetBytes,
      high: sramOffsetBytes + slots * slotBytes,
    });
  for (const block of schedule.blocks) {
    const steps = { startStep: block.plan.first, endStep: block.plan.last + 1 };
    for (const ring of block.rings)
      claims.push({
        name: `ring of %${ring.root} in block ${block.plan.first}`,
        ...steps,
        low: ring.sramOffsetBytes,
        high: ring.sramOffsetBytes + ring.sizeBytes,
      });
    for (const role of ['held', 'chunks', 'sums'] as const) {
      for (const buffer of block[role])
        claims.push({
          name: `${role} of step ${buffer.step}`,
          startStep: startOf(buffer.step, role, steps.startStep),
          endStep: steps.endStep,
          low: buffer.sramOffsetBytes,
          high: buffer.sramOffsetBytes + buffer.sizeBytes,
        });
    }
  }
  for (const root of schedule.roots.values()) {
    for (const stay of root.stays) {
      for (const piece of stayPieces(schedule, root.root, stay)) {
        const claim: Claim = {
          name: `%${root.root}`,
          ...piece,
          low: stay.sramOffsetBytes,
          high: stay.sramOffsetBytes + Math.min(piece.bytes, root.frameStrideBytes * schedule.batch),
        };
        claims.push(
          stay.origin === 'produced' && root.overwrites !== undefined
            ? { ...claim, over: `%${root.overwrites}` }
            : claim,
        );
      }
    }
  }
  return claims;
}

/** A stay by the steps in which only its first bytes, and the ring of its tail, are in SRAM, and those between them. */
function stayPieces(
  schedule: Schedule,
  root: number,
  stay: { readonly startStep: number; readonly endStep: number },
): { startStep: number; endStep: number; bytes: number }[] {
  const pieces: { startStep: number; endStep: number; bytes: number }[] = [];
  let from = stay.startStep;
  const out = schedule.evictions
    .filter((one) => one.root === root && one.first >= stay.startStep && one.last < stay.endStep)
    .sort((a, b) => a.first - b.first);
  for (const { first, last, keptBytes } of out) {
    if (from < first) pieces.push({ startStep: from, endStep: first, bytes: Number.POSITIVE_INFINITY });
    const block = schedule.blocks.find(({ plan }) => plan.first === first);
    const ring = block?.tails.find((tail) => tail.ring.root === root)?.ring;
    const bytes = keptBytes + (ring === undefined ? 0 : ring.rows * ring.rowBytes);
    pieces.push({ startStep: first, endStep: last + 1, bytes });
    from = last + 1;
  }
  if (from < stay.endStep) pieces.push({ startStep: from, endStep: stay.endStep, bytes: Number.POSITIVE_INFINITY });
  return pieces;
}

/** `from` is written over by `to`, and lives no longer than the steps in which that happens. */
function handsOver(from: Claim, to: Claim, start: number, end: number): boolean {
  return to.over === from.name && to.startStep === start && from.endStep === end;
}
