import { evaluate } from './evaluate.js';
import type { Placement, PlacementProblem, ResidentRounding } from './problem.js';

/**
 * Fills what room the steps leave with resident weights: as many bytes as fit, most-often-read first.
 *
 * A resident byte costs a byte at every step, except at the step that holds the same weights anyway. So after the
 * layers that must be resident, the order is: weights read several times a frame, then held ones, then the rest.
 * `roundResident` cuts a layer's share at whole output channels.
 *
 * Cost: the square of the number of steps, in simple operations.
 */
export function fillResident(
  problem: PlacementProblem,
  choices: readonly number[],
  reloads: Placement['reloads'],
  roundResident: ResidentRounding,
): Placement {
  const residentBytes = problem.steps.map((step, t) => {
    const choice = step.choices[choices[t] ?? -1];
    return choice?.residency === 'all' ? step.weightBytes : 0;
  });
  const { loadBytes } = evaluate(problem, { choices, reloads, residentBytes });
  const slack = loadBytes.map((load) => problem.capacityBytes - load);
  const order = problem.steps
    .map((_, t) => t)
    .filter((t) => problem.steps[t]?.choices[choices[t] ?? -1]?.residency === 'any' && (problem.steps[t]?.weightBytes ?? 0) > 0)
    .sort((a, b) => fillRank(problem, choices, b) - fillRank(problem, choices, a) || a - b);
  for (const t of order) {
    const step = problem.steps[t];
    if (step === undefined) continue;
    const held = (step.choices[choices[t] ?? -1]?.heldWeightBytes ?? 0) > 0;
    let room = step.weightBytes;
    for (let s = 0; s < slack.length; s += 1) if (s !== t || !held) room = Math.min(room, slack[s] ?? 0);
    const bytes = roundResident(t, room);
    if (bytes <= 0) continue;
    residentBytes[t] = bytes;
    for (let s = 0; s < slack.length; s += 1) if (s !== t || !held) slack[s] = (slack[s] ?? 0) - bytes;
  }
  return { choices, reloads, residentBytes };
}

function fillRank(problem: PlacementProblem, choices: readonly number[], t: number): number {
  const choice = problem.steps[t]?.choices[choices[t] ?? -1];
  if (choice === undefined) return 0;
  return choice.weightPasses * 2 + (choice.heldWeightBytes > 0 ? 1 : 0);
}
