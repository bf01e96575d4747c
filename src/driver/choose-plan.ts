/** Which of the plans that can be made is taken: simpler placements, other ways to place for time or energy, homes of states. */
import { SpillwayError } from '../base/diagnostic.js';
import type { Program } from '../ir/types.js';
import type { PlacementRecord, TimeRecord } from '../schedule/schedule.js';
import type { Compiled, CompileOptions } from './compile.js';
import { comparePlans, type PlanCost, planCost } from './objectives.js';
import { countTraffic } from './period-bytes.js';

/** Makes a plan by a placement, with some options other than they were asked for. */
export type CompileOnce = (placement: CompileOptions['placement'], change?: Partial<CompileOptions>) => Compiled;

/** Placements to fall back on. */
export const SIMPLER = { ilp: ['greedy', 'none'], greedy: ['none'], none: [] } as const;

/** Of the plans that the ILP for time finds, as many are carried out as commands: only those say what they take to the cycle. */
const TIMED_PLANS = 6;
/** And of those that it finds with nothing resident. */
const UNRESIDENT_PLANS = 3;

/** Of the bytes of a period: from there on plans of equal traffic differ by their code. */
const CODE_SHARE = 0.05;
/** Plans for time are looked for up to here where traffic is what counts: for more layers they take most of the compile. */
const MOST_LAYERS_FOR_CODE = 300;

/** Plans that move more and may take less time, where time or energy is what counts. */
const OTHER_WAYS: readonly { readonly name: string; readonly change: Partial<CompileOptions> }[] = [
  // Pieces of columns move less, and fill the array more often.
  { name: 'whole rows', change: { pieces: false } },
  { name: 'whole rows, placed in 3/4 of the SRAM', change: { pieces: false, placedShare: 0.75 } },
  { name: 'layer by layer', change: { blocks: false } },
  { name: 'layer by layer, residents balanced', change: { blocks: false, balanced: true } },
];

/**
 * Placement weighs traffic without code. A simpler placement whose code is shorter can come out better in the end, and is
 * taken then, so that ilp <= greedy <= none holds for the totals too. Where traffic is not what counts, all of these plans and some
 * more are made, and the best by the objective is taken: it is never worse than the plan for traffic.
 */
export function bestOf(first: Compiled, compile: CompileOnce, options: CompileOptions): Compiled {
  const { objective = 'traffic', placement } = options;
  const { record } = first.schedule;
  let best = { compiled: first, cost: costOf(placement, first) };
  const costs = [best.cost];
  const consider = (plan: string, compiled: Compiled | undefined): void => {
    if (compiled === undefined) return;
    const cost = costOf(plan, compiled);
    costs.push(cost);
    if (comparePlans(objective, cost, best.cost) < 0) best = { compiled, cost };
  };
  for (const simpler of SIMPLER[placement]) {
    // What it moves without its code is known: mostly enough to see that it cannot win.
    const atLeast = record.simplerTrafficBytes?.[simpler] ?? 0;
    if (objective === 'traffic' && atLeast >= best.cost.bytes) continue;
    consider(simpler, compile(simpler));
  }
  let time: TimeRecord | undefined;
  if (placement === 'ilp' && (objective !== 'traffic' || isMuchCode(first))) {
    const { order = '' } = record;
    const { batch } = first.schedule;
    const considerTimed = (name: string, count: number, change: Partial<CompileOptions>): void => {
      for (let rank = 0; rank < count; rank += 1) {
        if (options.control?.isStopped()) break;
        const timed = unlessTooLarge(() => compile(placement, { ...change, timed: { rank, order, batch } }));
        // What is proven for plans without residents is not for others.
        if (change.resident === undefined) time ??= timed?.schedule.record.time;
        consider(`${placement}, ${name}${rank === 0 ? '' : `, plan ${rank + 1}`}`, timed);
      }
    };
    considerTimed('for time', TIMED_PLANS, {});
    // What is resident takes the room that rings of weights could have.
    if (objective !== 'traffic' && options.resident !== false)
      considerTimed('for time, nothing resident', UNRESIDENT_PLANS, { resident: false });
  }
  if (objective !== 'traffic' && placement !== 'none') {
    for (const { name, change } of OTHER_WAYS) {
      if (options.control?.isStopped()) break;
      if (change.blocks === false && options.blocks === false) continue;
      consider(
        `${placement}, ${name}`,
        unlessTooLarge(() => compile(placement, change)),
      );
    }
  }
  const plans = costs.map((cost) => ({ ...cost, isChosen: cost === best.cost }));
  const proven = time === undefined ? {} : { time };
  if (best.compiled === first) {
    return { ...first, plans, schedule: { ...first.schedule, record: { ...record, ...proven } } };
  }
  // What was proven is about one order of the layers, and groups of one size.
  const { plannedTrafficBytes, order } = best.compiled.schedule.record;
  const isSameKind = order === record.order && best.compiled.schedule.groups === first.schedule.groups;
  const boundBytes =
    isSameKind && record.boundBytes !== undefined ? Math.min(record.boundBytes, plannedTrafficBytes) : undefined;
  const isProven = boundBytes !== undefined && boundBytes >= plannedTrafficBytes * (1 - options.gap);
  const status = record.status === 'optimal' && !isProven ? 'incumbent' : record.status;
  const taken: PlacementRecord = {
    ...record,
    status,
    plannedTrafficBytes,
    boundBytes,
    ...(order === undefined ? {} : { order }),
    ...(isSameKind ? proven : {}),
  };
  return { ...best.compiled, plans, schedule: { ...best.compiled.schedule, record: taken } };
}

/** Whether plans for time are worth a look where traffic is what counts: they may have less code. */
function isMuchCode({ schedule, emitted }: Compiled): boolean {
  if (schedule.layers.length > MOST_LAYERS_FOR_CODE) return false;
  const { byClass, totalBytes } = countTraffic(schedule, emitted).period;
  return byClass.code > CODE_SHARE * totalBytes;
}

function costOf(plan: string, { schedule, emitted, options }: Compiled): Omit<PlanCost, 'isChosen'> {
  return planCost(plan, emitted, countTraffic(schedule, emitted).period.totalBytes, options.chip);
}

/** Undefined where the layers do not fit as they are asked for. */
function unlessTooLarge(compile: () => Compiled): Compiled | undefined {
  try {
    return compile();
  } catch (error) {
    if (error instanceof SpillwayError && error.diagnostics.every(({ code }) => /^SW300[12]$/.test(code)))
      return undefined;
    throw error;
  }
}

/** What the model carries from frame to frame is in SRAM for ever, or in DRAM: whichever costs less. */
export function withStates(
  imported: Program,
  compile: (inSram: boolean) => Compiled,
  options: CompileOptions,
): Compiled {
  const { statesInSram, placement } = options;
  const hasStates = (imported.states ?? []).length > 0;
  if (!hasStates || statesInSram !== undefined || placement === 'none') return compile(statesInSram ?? false);
  const inDram = compile(false);
  const inSram = unlessTooLarge(() => compile(true));
  if (inSram === undefined) return inDram;
  const isBetter = comparePlans(options.objective ?? 'traffic', costOf('', inSram), costOf('', inDram)) < 0;
  const [best, other] = isBetter ? [inSram, inDram] : [inDram, inSram];
  const plansOf = ({ plans }: Compiled, where: string): PlanCost[] =>
    plans.map((cost) => ({ ...cost, plan: `${cost.plan}, states in ${where}` }));
  const others = plansOf(other, isBetter ? 'DRAM' : 'SRAM').map((cost) => ({ ...cost, isChosen: false }));
  const plans = [...plansOf(best, isBetter ? 'SRAM' : 'DRAM'), ...others];
  // What was proven is about plans with the states in one of the two places.
  const [mine, theirs] = [best.schedule.record.boundBytes, other.schedule.record.boundBytes];
  const boundBytes = mine === undefined || theirs === undefined ? undefined : Math.min(mine, theirs);
  const { time, ...rest } = best.schedule.record;
  const otherTime = other.schedule.record.time;
  const timed =
    time === undefined || otherTime === undefined
      ? {}
      : { time: { ...time, boundCycles: Math.min(time.boundCycles, otherTime.boundCycles) } };
  return { ...best, plans, schedule: { ...best.schedule, record: { ...rest, boundBytes, ...timed } } };
}
