/** What the reader looks at: one tensor or one layer, shown in the details, the map and the tables; kept in the address. */

export interface Selected {
  readonly kind: 'tensor' | 'layer';
  readonly index: number; // into report.tensors, or the step
}

type Listener = (selected: Selected | undefined) => void;

export class Selection {
  private readonly listeners: Listener[] = [];
  private selected: Selected | undefined;

  get current(): Selected | undefined {
    return this.selected;
  }

  onChange(listener: Listener): void {
    this.listeners.push(listener);
  }

  select(selected: Selected | undefined): void {
    if (selected?.kind === this.selected?.kind && selected?.index === this.selected?.index) return;
    this.selected = selected;
    const hash = selected === undefined ? ' ' : `#${selected.kind}-${selected.index}`;
    history.replaceState(null, '', hash === ' ' ? location.pathname + location.search : hash);
    for (const listener of this.listeners) listener(selected);
  }

  /** Of an address such as report.html#tensor-12; anything else selects nothing. */
  restore(counts: { readonly tensor: number; readonly layer: number }): void {
    const [, kind, index] = /^#(tensor|layer)-(\d+)$/.exec(location.hash) ?? [];
    if ((kind === 'tensor' || kind === 'layer') && Number(index) < counts[kind]) {
      this.select({ kind, index: Number(index) });
    }
  }
}
