import { pathToSink } from '../state-graph.js';
import type { TimeGraph } from './time-graph.js';

/**
 * What the rows of the time model are worth (its duals), and from them a bound: with rows priced instead of kept, what is left of
 * the model is a shortest path over all arcs, each with the resident bytes that suit it best. Whatever the prices, no plan takes
 * less; good ones come from the model over a few arcs (time-model.ts), whose optimum the bound then meets.
 */
export interface Prices {
  readonly compute: Float64Array; // per step: share of the time of what begins there that is compute's
  readonly dma: Float64Array; // per cut: share that is the DMA's; compute + dma <= 1
  readonly step: Float64Array; // per step: of a byte of SRAM
  readonly cut: Float64Array; // per cut: of a byte of SRAM between two executions
  readonly roomless: Float64Array; // per cut: of a byte that is moved early or late without room
}

export interface Priced {
  readonly boundBytes: number;
  readonly path: readonly number[];
  /** Per arc: by how much the shortest path through it is longer than the shortest. */
  readonly excess: Float64Array;
}

/** Work arrays for one graph. */
export class Pricer {
  private readonly length: Float64Array;
  private readonly ahead: Float64Array;
  private readonly behind: Float64Array;
  private readonly arrival: Int32Array;

  constructor(
    private readonly time: TimeGraph,
    private readonly mostResidentBytes: number,
  ) {
    const { nodeCount, arcFrom } = time.graph;
    this.length = new Float64Array(arcFrom.length);
    this.ahead = new Float64Array(nodeCount);
    this.behind = new Float64Array(nodeCount);
    this.arrival = new Int32Array(nodeCount);
  }

  /** @param trafficWeight what a byte of traffic costs beside the time it takes */
  price(prices: Prices, trafficWeight: number): Priced {
    const { graph, arcCut, arcEnd, computeBytes, nodeItemBytes, weightBytes, weightPasses, isHeld, roomless, steps } =
      this.time;
    const { arcFrom, arcTo, arcCost, arcMemory, arcEdge, nodeCount, problem } = graph;
    const { length, ahead, behind, arrival } = this;
    const upTo = new Float64Array(steps + 1); // of the prices of steps
    for (let t = 0; t < steps; t += 1) upTo[t + 1] = (upTo[t] as number) + (prices.step[t] as number);
    const roomlessBefore = new Float64Array(steps + 2);
    for (let t = 0; t <= steps; t += 1)
      roomlessBefore[t + 1] = (roomlessBefore[t] as number) + (prices.roomless[t] as number);
    let residentPrice = upTo[steps] as number;
    for (const price of prices.cut) residentPrice += price;
    ahead.fill(Number.POSITIVE_INFINITY);
    ahead[0] = 0;
    for (let arc = 0; arc < length.length; arc += 1) {
      const cut = arcCut[arc] as number;
      const moved = (prices.dma[cut] as number) + trafficWeight;
      let own = moved * (arcCost[arc] as number);
      const free = roomless.bytes[arc] as number;
      if (free > 0) {
        const [from, to] = [roomless.from[arc] as number, roomless.to[arc] as number];
        own -= free * ((roomlessBefore[to + 1] as number) - (roomlessBefore[from] as number));
      }
      if ((arcEdge[arc] as number) >= 0) {
        const room = (upTo[arcEnd[arc] as number] as number) - (upTo[cut] as number);
        own += (prices.compute[cut] as number) * (computeBytes[arc] as number);
        own += room * (arcMemory[arc] as number);
        own += (prices.cut[cut] as number) * (nodeItemBytes[arcFrom[arc] as number] as number);
        const saving = moved * (weightPasses[arc] as number) + (isHeld[arc] === 1 ? room : 0) - residentPrice;
        if (saving > 0) own -= saving * Math.min(weightBytes[arc] as number, this.mostResidentBytes);
      }
      length[arc] = own;
      const total = (ahead[arcFrom[arc] as number] as number) + own;
      const to = arcTo[arc] as number;
      if (total < (ahead[to] as number)) {
        ahead[to] = total;
        arrival[to] = arc;
      }
    }
    const shortest = ahead[nodeCount - 1] as number;
    behind.fill(Number.POSITIVE_INFINITY);
    behind[nodeCount - 1] = 0;
    const excess = new Float64Array(length.length);
    for (let arc = length.length - 1; arc >= 0; arc -= 1) {
      const rest = (length[arc] as number) + (behind[arcTo[arc] as number] as number);
      const from = arcFrom[arc] as number;
      if (rest < (behind[from] as number)) behind[from] = rest;
      excess[arc] = (ahead[from] as number) + rest - shortest;
    }
    return {
      boundBytes: shortest - problem.capacityBytes * residentPrice + this.shifting(prices),
      path: pathToSink(graph, arrival),
      excess,
    };
  }

  /** What loads ahead and late stores are worth at these prices, at most a whole SRAM of each at each cut; never above zero. */
  private shifting({ dma, cut, step, roomless }: Prices): number {
    let sum = 0;
    for (let t = 1; t <= this.time.steps; t += 1) {
      const later = (dma[t] as number) - (dma[t - 1] as number);
      const price = cut[t] as number;
      if (t < this.time.steps) sum += Math.min(0, price + (step[t - 1] as number) - later);
      sum += Math.min(0, price + (step[t] ?? 0) + later);
      sum += Math.min(0, (roomless[t] as number) - Math.abs(later));
    }
    return sum * this.time.graph.problem.capacityBytes;
  }
}
