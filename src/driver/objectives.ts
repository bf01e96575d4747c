/** What a plan can be chosen for, and what each plan costs in all of it. */
import type { EmittedProgram } from '../backend/emit-program.js';
import { periodTimeline } from '../backend/timeline.js';
import type { Chip } from '../target/chip.js';
import type { Objective } from './objective-names.js';

/** A plan that was made, by how it came about, and what it costs a period. */
export interface PlanCost {
  readonly plan: string;
  readonly bytes: number; // DRAM traffic, code included
  readonly cycles: number; // predicted
  readonly picojoules: number;
  readonly isChosen: boolean;
}

/** Of a period, in picojoules; what the chip file has no number for counts as 0. */
export interface Energy {
  readonly dram: number;
  readonly sram: number;
  readonly mac: number;
  readonly total: number;
}

export function energyOf(programBytes: Uint8Array, dramBytes: number, chip: Chip): Energy {
  const { portBytes, macs } = periodTimeline(programBytes, chip);
  const dram = dramBytes * chip.dram.energyPicojoulesPerByte;
  const sram = portBytes * (chip.sram.energyPicojoulesPerByte ?? 0);
  const mac = macs * (chip.mac.energyPicojoules ?? 0);
  return { dram, sram, mac, total: dram + sram + mac };
}

export function planCost(
  plan: string,
  { programBytes }: EmittedProgram,
  dramBytes: number,
  chip: Chip,
): Omit<PlanCost, 'isChosen'> {
  const { cycles } = periodTimeline(programBytes, chip);
  const { total } = energyOf(programBytes, dramBytes, chip);
  return { plan, bytes: dramBytes, cycles, picojoules: Math.round(total) };
}

/** Below zero where the first plan is better; what the objective does not decide, traffic and then time do. */
export function comparePlans(
  objective: Objective,
  a: Omit<PlanCost, 'isChosen'>,
  b: Omit<PlanCost, 'isChosen'>,
): number {
  const first =
    objective === 'traffic'
      ? a.bytes - b.bytes
      : objective === 'energy'
        ? a.picojoules - b.picojoules
        : a.cycles - b.cycles;
  return first || a.bytes - b.bytes || a.cycles - b.cycles;
}
