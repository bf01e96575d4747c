/** The memory map by keyboard. */
import type { PlacedBuffer } from './data.js';
import { hideHover } from './hover.js';

export interface MapActions {
  readonly buffers: readonly PlacedBuffer[];
  readonly show: (index: number) => void;
  readonly open: (index: number) => void;
  readonly zoom: (factor: number | undefined) => void; // undefined: everything
}

export function connectKeys(place: HTMLElement, { buffers, show, open, zoom }: MapActions): void {
  const order = buffers
    .map((_, i) => i)
    .sort((a, b) => {
      const [one, other] = [buffers[a], buffers[b]];
      if (one === undefined || other === undefined) return 0;
      return one.startStep - other.startStep || one.offsetBytes - other.offsetBytes;
    });
  let at: number | undefined; // index of a buffer
  const inTime = (by: 1 | -1): number | undefined => {
    if (at === undefined) return order[0];
    return order[Math.min(order.length - 1, Math.max(0, order.indexOf(at) + by))];
  };
  const inSpace = (by: 1 | -1): number | undefined => {
    const here = at === undefined ? undefined : buffers[at];
    if (here === undefined) return order[0];
    const beside = order.filter((i) => {
      const other = buffers[i];
      if (other === undefined || other === here) return false;
      const isTogether = other.startStep < here.endStep && here.startStep < other.endStep;
      return isTogether && (other.offsetBytes - here.offsetBytes) * by > 0;
    });
    const distance = (i: number): number => Math.abs((buffers[i]?.offsetBytes ?? 0) - here.offsetBytes);
    return beside.sort((a, b) => distance(a) - distance(b))[0] ?? at;
  };
  const keys: Readonly<Record<string, () => void>> = {
    ArrowRight: () => move(inTime(1)),
    ArrowLeft: () => move(inTime(-1)),
    ArrowUp: () => move(inSpace(1)),
    ArrowDown: () => move(inSpace(-1)),
    Enter: () => at !== undefined && open(at),
    '+': () => zoom(0.5),
    '-': () => zoom(2),
    '0': () => zoom(undefined),
  };
  const move = (to: number | undefined): void => {
    at = to;
    if (at !== undefined) show(at);
  };
  place.addEventListener('keydown', (event) => {
    const act = keys[event.key];
    if (act === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
  place.addEventListener('blur', hideHover);
}
