/**
 * Where a falling curve has its knees: points behind which more of x buys clearly less than before.
 *
 * The method is Kneedle: V. Satopää, J. Albrecht, D. Irwin, B. Raghavan, "Finding a 'Kneedle' in a Haystack: Detecting Knee
 * Points in System Behavior", ICDCS Workshops 2011, with its sensitivity S = 1. Both axes are scaled to [0, 1]; a knee is where
 * the curve is furthest below the straight line from its first point to its last, compared with the points around:
 *
 *   1 *                     d(i) = (1 - y) - x, the distance to the line
 *     | *    .              a local maximum of d is a knee when d falls by more than S times the mean step of x
 *     |   *      .          before it rises to the next local maximum
 *     |     * knee   .
 *     |          *   *  .
 *   0 +--------------------*
 */

const SENSITIVITY = 1;
/** Below this there is no shape to speak of. */
const LEAST_POINTS = 4;
/** Of its beginning. A curve that falls by less in all is flat, whatever it looks like when it is scaled. */
const LEAST_FALL = 0.05;

/**
 * @param points by ascending x; y never rises
 * @returns indexes of the knees, ascending
 */
export function kneesOf(points: readonly { readonly x: number; readonly y: number }[]): number[] {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || points.length < LEAST_POINTS) return [];
  const [width, height] = [last.x - first.x, first.y - last.y];
  if (width <= 0 || height <= first.y * LEAST_FALL) return [];
  const distances = points.map(({ x, y }) => (first.y - y) / height - (x - first.x) / width);
  const threshold = SENSITIVITY / (points.length - 1);
  const knees: number[] = [];
  let candidate: number | undefined;
  for (const [i, here] of distances.entries()) {
    const before = distances[i - 1] ?? Number.NEGATIVE_INFINITY;
    const after = distances[i + 1] ?? Number.NEGATIVE_INFINITY;
    // Of equal neighbours the first: less of x does the same.
    const isPeak = i > 0 && i < points.length - 1 && here > before && here >= after;
    if (isPeak) candidate = i;
    else if (candidate !== undefined && here < (distances[candidate] ?? 0) - threshold * (1 + ROUNDING)) {
      knees.push(candidate);
      candidate = undefined;
    }
  }
  return knees;
}

/** Of sums of fractions, relative. */
const ROUNDING = 1e-9;
