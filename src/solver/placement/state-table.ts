/**
 * The states at one cut: homes of the items alive there, as two sets of positions.
 *
 *   position      2    1    0
 *   homes         S    D    SD         inSram 0b100: in SRAM, never yet outside
 *                                      inBoth 0b001: in SRAM, with a copy in DRAM; in neither: in DRAM only
 */
export class StateTable {
  size = 0;
  /** By state, in the order in which they were met. */
  inSram: Int32Array = new Int32Array(16);
  inBoth: Int32Array = new Int32Array(16);
  node: Int32Array = new Int32Array(16);
  private slots = new Int32Array(32).fill(-1); // open addressing: indexes of states

  /** The node of a state; `fresh` becomes it where the state is new. */
  nodeOf(inSram: number, inBoth: number, fresh: number): number {
    if (2 * (this.size + 1) > this.slots.length) this.grow();
    const slot = this.slotOf(inSram, inBoth);
    const known = this.slots[slot] as number;
    if (known >= 0) return this.node[known] as number;
    const state = this.size;
    this.size += 1;
    this.slots[slot] = state;
    this.inSram[state] = inSram;
    this.inBoth[state] = inBoth;
    this.node[state] = fresh;
    return fresh;
  }

  /** States with the greatest homes first: of items at the highest position, then the next; SD, S, D. */
  sorted(): Int32Array {
    const { size } = this;
    const keys = new Float64Array(size);
    let most = 0;
    for (let i = 0; i < size; i += 1) {
      const key = inBaseThree(this.inSram[i] as number) + 2 * inBaseThree(this.inBoth[i] as number);
      keys[i] = key;
      if (key > most) most = key;
    }
    const order = new Int32Array(size);
    if ((most + 1) * size > Number.MAX_SAFE_INTEGER) {
      return order.map((_, i) => i).sort((a, b) => (keys[b] as number) - (keys[a] as number));
    }
    // With their indexes in the last places, numbers are sorted as they are, which is many times as fast.
    for (let i = 0; i < size; i += 1) keys[i] = (keys[i] as number) * size + i;
    keys.sort();
    for (let i = 0; i < size; i += 1) order[size - 1 - i] = (keys[i] as number) % size;
    return order;
  }

  private slotOf(inSram: number, inBoth: number): number {
    const last = this.slots.length - 1;
    let slot = (Math.imul(inSram, 0x9e3779b1) ^ Math.imul(inBoth, 0x85ebca6b)) >>> 0;
    slot = (slot ^ (slot >>> 15)) & last;
    for (;;) {
      const state = this.slots[slot] as number;
      if (state < 0 || (this.inSram[state] === inSram && this.inBoth[state] === inBoth)) return slot;
      slot = (slot + 1) & last;
    }
  }

  private grow(): void {
    const longer = (values: Int32Array): Int32Array => {
      const more = new Int32Array(2 * values.length);
      more.set(values);
      return more;
    };
    this.inSram = longer(this.inSram);
    this.inBoth = longer(this.inBoth);
    this.node = longer(this.node);
    this.slots = new Int32Array(2 * this.slots.length).fill(-1);
    for (let i = 0; i < this.size; i += 1) {
      this.slots[this.slotOf(this.inSram[i] as number, this.inBoth[i] as number)] = i;
    }
  }
}

/** The number with a digit 1 at each position of a set, in base three. */
function inBaseThree(set: number): number {
  return (
    (BASE_THREE[set & 1023] as number) +
    59049 * ((BASE_THREE[(set >> 10) & 1023] as number) + 59049 * (BASE_THREE[(set >> 20) & 1023] as number))
  );
}

const BASE_THREE = Float64Array.from({ length: 1024 }, (_, set) => {
  let value = 0;
  for (let position = 9; position >= 0; position -= 1) value = 3 * value + ((set >> position) & 1);
  return value;
});
