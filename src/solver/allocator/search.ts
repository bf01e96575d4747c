import type { Instance } from './instance.js';

export type SearchOutcome = 'found' | 'exhausted' | 'budget';

export interface SearchTarget {
  /** Largest offset of each buffer, in units. */
  readonly maxOffsetUnits: Float64Array;
  /** Most units that the buffers of each section may take, waste included. */
  readonly roomUnits: Float64Array;
}

const PLACED = 0;

/** DFS over canonical arrangements. */
export class Search {
  readonly n: number;
  readonly m: number;
  private readonly size: Int32Array;
  private readonly align: Int32Array;
  private readonly fixed: Int32Array;
  private readonly hasAlign: boolean;
  private readonly hasFixed: boolean;
  private readonly bufSecStart: Int32Array;
  private readonly bufSecs: Int32Array;
  private readonly secBufStart: Int32Array;
  private readonly secBufs: Int32Array;
  private readonly adjStart: Int32Array;
  private readonly adj: Int32Array;
  private readonly hullFirst: Int32Array;
  private readonly hullLast: Int32Array;
  // state
  private readonly st: Int32Array;
  private readonly OFF: number;
  private readonly SUP: number;
  private readonly FLOOR: number;
  private readonly REM: number;
  private readonly MT1: number;
  private readonly MTA: number;
  private readonly MT2: number;
  private readonly CNT: number;
  private readonly SPAN: number;
  private trail: Int32Array = new Int32Array(1 << 16);
  private trailLen = 0;
  private readonly dirty: Int32Array;
  private readonly isDirty: Uint8Array;
  private dirtyLen = 0;
  // target
  private ub: Int32Array = new Int32Array(0);
  private room: Int32Array = new Int32Array(0);
  readonly weight: Float64Array;
  private prio: Float64Array = new Float64Array(0);
  nodes = 0;
  private limit = 0;
  fails = 0;
  raises = 0;

  constructor(instance: Instance) {
    const n = instance.count;
    const m = instance.sectionCount;
    this.n = n;
    this.m = m;
    this.size = Int32Array.from(instance.sizeUnits);
    this.align = Int32Array.from(instance.alignUnits);
    this.fixed = Int32Array.from(instance.fixedUnits);
    this.hasAlign = this.align.some((a) => a !== 1);
    this.hasFixed = this.fixed.some((f) => f >= 0);
    const bufSecs: number[][] = [];
    const secBufs: number[][] = Array.from({ length: m }, () => []);
    this.hullFirst = new Int32Array(n);
    this.hullLast = new Int32Array(n);
    for (let b = 0; b < n; b++) {
      const list: number[] = [];
      for (let k = instance.rangeStart[b] ?? 0; k < (instance.rangeStart[b + 1] ?? 0); k++) {
        for (let s = instance.rangeFirst[k] ?? 0; s <= (instance.rangeLast[k] ?? 0); s++) {
          list.push(s);
          secBufs[s]?.push(b);
        }
      }
      bufSecs.push(list);
      this.hullFirst[b] = list[0] ?? 0;
      this.hullLast[b] = list[list.length - 1] ?? 0;
    }
    const adj: number[][] = [];
    const mark = new Int32Array(n).fill(-1);
    for (let b = 0; b < n; b++) {
      mark[b] = b;
      const list: number[] = [];
      for (const s of bufSecs[b] ?? []) {
        for (const c of secBufs[s] ?? []) {
          if (mark[c] === b) continue;
          mark[c] = b;
          list.push(c);
        }
      }
      adj.push(list);
    }
    [this.bufSecStart, this.bufSecs] = toCsr(bufSecs);
    [this.secBufStart, this.secBufs] = toCsr(secBufs);
    [this.adjStart, this.adj] = toCsr(adj);
    let base = n;
    const take = (k: number): number => {
      base += k;
      return base - k;
    };
    this.OFF = take(n);
    this.SUP = take(n);
    this.FLOOR = take(m);
    this.REM = take(m);
    this.MT1 = take(m);
    this.MTA = take(m);
    this.MT2 = take(m);
    this.CNT = take(m);
    this.SPAN = take(m);
    this.st = new Int32Array(base);
    this.dirty = new Int32Array(m);
    this.isDirty = new Uint8Array(m);
    this.weight = new Float64Array(m).fill(1);
  }

  offsets(): Float64Array {
    return Float64Array.from(this.st.subarray(this.OFF, this.OFF + this.n));
  }

  run(target: SearchTarget, prio: Float64Array, nodeLimit: number): SearchOutcome {
    this.ub = Int32Array.from(target.maxOffsetUnits);
    this.room = Int32Array.from(target.roomUnits);
    this.prio = prio;
    this.nodes = 0;
    this.limit = nodeLimit;
    this.trailLen = 0;
    this.st.fill(0);
    const { st, n, m } = this;
    for (let b = 0; b < n; b++) {
      const off = this.settle(b, 0);
      st[this.OFF + b] = off;
      st[this.SUP + b] = off;
      if (off > (this.ub[b] ?? 0)) return 'exhausted';
      for (let k = this.bufSecStart[b] ?? 0; k < (this.bufSecStart[b + 1] ?? 0); k++) {
        const s = this.bufSecs[k] ?? 0;
        st[this.REM + s] = (st[this.REM + s] ?? 0) + (this.size[b] ?? 0);
      }
      for (let s = this.hullFirst[b] ?? 0; s < (this.hullLast[b] ?? 0); s++) {
        st[this.SPAN + s] = (st[this.SPAN + s] ?? 0) + 1;
      }
    }
    for (let s = 0; s < m; s++) this.markDirty(s);
    if (!this.refresh()) return 'exhausted';
    const r = this.split(0, m - 1);
    return r === 1 ? 'found' : r === 0 ? 'exhausted' : 'budget';
  }

  private settle(b: number, from: number): number {
    const fixedAt = this.fixed[b] ?? -1;
    if (fixedAt >= 0) return fixedAt < from ? 1 << 30 : fixedAt;
    let at = from;
    if (!this.hasAlign && !this.hasFixed) return at;
    const a = this.align[b] ?? 1;
    for (let moved = true; moved; ) {
      moved = false;
      if (a !== 1) at = Math.ceil(at / a) * a;
      if (!this.hasFixed) break;
      const top = at + (this.size[b] ?? 0);
      for (let k = this.adjStart[b] ?? 0; k < (this.adjStart[b + 1] ?? 0); k++) {
        const c = this.adj[k] ?? 0;
        const f = this.fixed[c] ?? -1;
        if (f < 0) continue;
        const fTop = f + (this.size[c] ?? 0);
        if (f < top && fTop > at) {
          at = fTop;
          moved = true;
          break;
        }
      }
    }
    return at;
  }

  private set(i: number, v: number): void {
    if (this.trailLen + 2 > this.trail.length) {
      const t = new Int32Array(this.trail.length * 2);
      t.set(this.trail);
      this.trail = t;
    }
    this.trail[this.trailLen] = i;
    this.trail[this.trailLen + 1] = this.st[i] ?? 0;
    this.trailLen += 2;
    this.st[i] = v;
  }

  private undo(mark: number): void {
    const { trail, st } = this;
    let len = this.trailLen;
    while (len > mark) {
      len -= 2;
      st[trail[len] ?? 0] = trail[len + 1] ?? 0;
    }
    this.trailLen = mark;
    for (let i = 0; i < this.dirtyLen; i++) this.isDirty[this.dirty[i] ?? 0] = 0;
    this.dirtyLen = 0;
  }

  private markDirty(s: number): void {
    if (this.isDirty[s] === 1) return;
    this.isDirty[s] = 1;
    this.dirty[this.dirtyLen++] = s;
  }

  /** Raises the lower bound of an unplaced buffer. */
  private raiseOff(c: number, to: number): boolean {
    const at = this.settle(c, to);
    if (at <= (this.st[this.OFF + c] ?? 0)) return true;
    if (at > (this.ub[c] ?? 0)) {
      for (let k = this.bufSecStart[c] ?? 0; k < (this.bufSecStart[c + 1] ?? 0); k++) {
        const s = this.bufSecs[k] ?? 0;
        this.weight[s] = (this.weight[s] ?? 0) + 0.1;
      }
      return false;
    }
    this.set(this.OFF + c, at);
    for (let k = this.bufSecStart[c] ?? 0; k < (this.bufSecStart[c + 1] ?? 0); k++)
      this.markDirty(this.bufSecs[k] ?? 0);
    return true;
  }

  private place(b: number): boolean {
    const { st } = this;
    const v = st[this.OFF + b] ?? 0;
    const size = this.size[b] ?? 0;
    const top = v + size;
    this.set(PLACED + b, 1);
    for (let k = this.bufSecStart[b] ?? 0; k < (this.bufSecStart[b + 1] ?? 0); k++) {
      const s = this.bufSecs[k] ?? 0;
      this.set(this.REM + s, (st[this.REM + s] ?? 0) - size);
      this.markDirty(s);
    }
    for (let s = this.hullFirst[b] ?? 0; s < (this.hullLast[b] ?? 0); s++) {
      this.set(this.SPAN + s, (st[this.SPAN + s] ?? 0) - 1);
    }
    for (let k = this.adjStart[b] ?? 0; k < (this.adjStart[b + 1] ?? 0); k++) {
      const c = this.adj[k] ?? 0;
      if (st[PLACED + c] === 1) continue;
      const old = st[this.SUP + c] ?? 0;
      if (old >= top) continue;
      const f = this.fixed[c] ?? -1;
      if (f >= 0) {
        if (top > f) return false;
        continue;
      }
      const at = this.settle(c, top);
      this.set(this.SUP + c, at);
      if (!this.raiseOff(c, at)) return false;
    }
    return this.refresh();
  }

  /** Recomputes what is derived per section; false when a section cannot hold what it must. */
  private refresh(): boolean {
    const { st } = this;
    while (this.dirtyLen > 0) {
      this.dirtyLen -= 1;
      const s = this.dirty[this.dirtyLen] ?? 0;
      this.isDirty[s] = 0;
      let floor = 1 << 30;
      let count = 0;
      let mt1 = 1 << 30;
      let mt2 = 1 << 30;
      let mta = -1;
      const end = this.secBufStart[s + 1] ?? 0;
      for (let k = this.secBufStart[s] ?? 0; k < end; k++) {
        const c = this.secBufs[k] ?? 0;
        if (st[PLACED + c] === 1) continue;
        const off = st[this.OFF + c] ?? 0;
        if (off < floor) {
          floor = off;
          count = 1;
        } else if (off === floor) count += 1;
        const top = off + (this.size[c] ?? 0);
        if (top < mt1) {
          mt2 = mt1;
          mt1 = top;
          mta = c;
        } else if (top < mt2) mt2 = top;
      }
      const rem = st[this.REM + s] ?? 0;
      if (rem > 0 && floor + rem > (this.room[s] ?? 0)) {
        this.weight[s] = (this.weight[s] ?? 0) + 1;
        return false;
      }
      if (st[this.FLOOR + s] !== floor) this.set(this.FLOOR + s, floor);
      if (st[this.CNT + s] !== count) this.set(this.CNT + s, count);
      if (st[this.MT1 + s] !== mt1) this.set(this.MT1 + s, mt1);
      if (st[this.MTA + s] !== mta) this.set(this.MTA + s, mta);
      if (st[this.MT2 + s] !== mt2) this.set(this.MT2 + s, mt2);
    }
    return true;
  }

  /** Least top over the unplaced buffers that overlap b. */
  private minTopAround(b: number): number {
    const { st } = this;
    let least = 1 << 30;
    const end = this.bufSecStart[b + 1] ?? 0;
    for (let k = this.bufSecStart[b] ?? 0; k < end; k++) {
      const s = this.bufSecs[k] ?? 0;
      const t = st[this.MTA + s] === b ? (st[this.MT2 + s] ?? 0) : (st[this.MT1 + s] ?? 0);
      if (t < least) least = t;
    }
    return least;
  }

  /** Splits sections [lo, hi] where nothing unplaced spans, and solves the parts one after the other. */
  private split(lo: number, hi: number): 0 | 1 | 2 {
    const { st } = this;
    const parts: number[] = [];
    let from = lo;
    for (let s = lo; s <= hi; s++) {
      if (s < hi && (st[this.SPAN + s] ?? 0) > 0) continue;
      let busy = false;
      for (let t = from; t <= s && !busy; t++) busy = (st[this.REM + t] ?? 0) > 0;
      if (busy) parts.push(from, s);
      from = s + 1;
    }
    if (parts.length === 0) return 1;
    if (parts.length === 2) return this.solve(parts[0] ?? 0, parts[1] ?? 0);
    // shortest first
    const idx: number[] = [];
    for (let i = 0; i < parts.length; i += 2) idx.push(i);
    idx.sort((a, b) => (parts[a + 1] ?? 0) - (parts[a] ?? 0) - ((parts[b + 1] ?? 0) - (parts[b] ?? 0)));
    for (const i of idx) {
      const r = this.solve(parts[i] ?? 0, parts[i + 1] ?? 0);
      if (r !== 1) return r;
    }
    return 1;
  }

  /** Picks the section to branch on; -1 on dead end. */
  private pick(lo: number, hi: number): number {
    const { st } = this;
    for (;;) {
      let best = -1;
      let bestScore = Number.POSITIVE_INFINITY;
      let changed = false;
      for (let s = lo; s <= hi && !changed; s++) {
        if ((st[this.REM + s] ?? 0) === 0) continue;
        const v = st[this.FLOOR + s] ?? 0;
        const slack = (this.room[s] ?? 0) - v - (st[this.REM + s] ?? 0);
        const options = (st[this.CNT + s] ?? 0) + (slack > 0 ? 1 : 0);
        const score = options / (this.weight[s] ?? 1);
        if (score >= bestScore) continue;
        // branchable?
        let ok = true;
        for (let k = this.secBufStart[s] ?? 0; k < (this.secBufStart[s + 1] ?? 0); k++) {
          const b = this.secBufs[k] ?? 0;
          if (st[PLACED + b] === 1 || st[this.OFF + b] !== v) continue;
          const around = this.minTopAround(b);
          if (around <= v) {
            ok = false;
            break;
          }
          if ((this.fixed[b] ?? -1) < 0 && st[this.SUP + b] !== v) {
            // unsupported: it has to wait for one of the others below it
            if (!this.raiseOff(b, around)) return -1;
            changed = true;
          }
        }
        if (changed) break;
        if (!ok) continue;
        best = s;
        bestScore = score;
      }
      if (changed) {
        if (!this.refresh()) return -1;
        continue;
      }
      return best;
    }
  }

  private solve(lo: number, hi: number): 0 | 1 | 2 {
    const { st } = this;
    for (;;) {
      const s = this.pick(lo, hi);
      if (s < 0) {
        this.fails += 1;
        return 0;
      }
      const v = st[this.FLOOR + s] ?? 0;
      const cands: number[] = [];
      let forced = -1;
      for (let k = this.secBufStart[s] ?? 0; k < (this.secBufStart[s + 1] ?? 0); k++) {
        const b = this.secBufs[k] ?? 0;
        if (st[PLACED + b] === 1 || st[this.OFF + b] !== v) continue;
        cands.push(b);
        if ((this.fixed[b] ?? -1) >= 0) forced = b;
      }
      cands.sort((a, b) => (this.prio[b] ?? 0) - (this.prio[a] ?? 0) || a - b);
      const tries = forced >= 0 ? [forced] : cands;
      for (const b of tries) {
        this.nodes += 1;
        if (this.nodes > this.limit) return 2;
        const mark = this.trailLen;
        if (this.place(b)) {
          const r = this.split(lo, hi);
          if (r !== 0) return r;
        }
        this.undo(mark);
      }
      if (forced >= 0) return 0;
      // nothing starts at v in s
      this.raises += 1;
      let w = 1 << 30;
      for (let k = this.secBufStart[s] ?? 0; k < (this.secBufStart[s + 1] ?? 0); k++) {
        const b = this.secBufs[k] ?? 0;
        if (st[PLACED + b] === 1) continue;
        const off = st[this.OFF + b] ?? 0;
        if (off > v) {
          if (off < w) w = off;
          continue;
        }
        for (let j = this.adjStart[b] ?? 0; j < (this.adjStart[b + 1] ?? 0); j++) {
          const c = this.adj[j] ?? 0;
          if (st[PLACED + c] === 1 || cands.includes(c)) continue;
          const top = (st[this.OFF + c] ?? 0) + (this.size[c] ?? 0);
          if (top < w) w = top;
        }
      }
      if (w + (st[this.REM + s] ?? 0) > (this.room[s] ?? 0)) {
        this.weight[s] = (this.weight[s] ?? 0) + 1;
        return 0;
      }
      for (const b of cands) if (!this.raiseOff(b, w)) return 0;
      if (!this.refresh()) return 0;
    }
  }
}

function toCsr(lists: readonly (readonly number[])[]): [Int32Array, Int32Array] {
  const start = new Int32Array(lists.length + 1);
  lists.forEach((list, i) => {
    start[i + 1] = (start[i] ?? 0) + list.length;
  });
  return [start, Int32Array.from(lists.flat())];
}
