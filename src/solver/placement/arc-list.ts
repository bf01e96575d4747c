/** Arcs as they are found: many, of unknown number. */
export class ArcList {
  from = new Int32Array(1 << 12);
  to = new Int32Array(1 << 12);
  edge = new Int32Array(1 << 12);
  cost = new Float64Array(1 << 12);
  memory = new Float64Array(1 << 12);
  eviction = new Int32Array(1 << 12);
  length = 0;

  push(from: number, to: number, edge: number, cost: number, memory: number, eviction: number): void {
    const at = this.length;
    if (at === this.from.length) this.grow();
    this.from[at] = from;
    this.to[at] = to;
    this.edge[at] = edge;
    this.cost[at] = cost;
    this.memory[at] = memory;
    this.eviction[at] = eviction;
    this.length = at + 1;
  }

  private grow(): void {
    const capacity = 2 * this.from.length;
    const grown = <T extends Int32Array | Float64Array>(values: T, bigger: T): T => {
      bigger.set(values);
      return bigger;
    };
    this.from = grown(this.from, new Int32Array(capacity));
    this.to = grown(this.to, new Int32Array(capacity));
    this.edge = grown(this.edge, new Int32Array(capacity));
    this.cost = grown(this.cost, new Float64Array(capacity));
    this.memory = grown(this.memory, new Float64Array(capacity));
    this.eviction = grown(this.eviction, new Int32Array(capacity));
  }
}
