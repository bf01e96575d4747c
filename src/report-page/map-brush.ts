/** Dragging a rectangle over a plot. A click is a rectangle of no size. */
import { svg } from './element.js';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Brushed {
  readonly from: Point; // pixels of the plot
  readonly to: Point;
  readonly target: Element; // under the pointer when it went down
}

export function connectBrush(plot: Element, finish: (brushed: Brushed) => void): void {
  let from: Point | undefined;
  let target: Element | undefined;
  let shape: SVGRectElement | undefined;
  const place = (event: PointerEvent): Point => {
    const box = plot.getBoundingClientRect();
    return { x: event.clientX - box.x, y: event.clientY - box.y };
  };
  const end = (): void => {
    shape?.remove();
    [from, target, shape] = [undefined, undefined, undefined];
  };
  const pointer = (type: string, act: (event: PointerEvent) => void): void => {
    plot.addEventListener(type, (event) => {
      if (event instanceof PointerEvent) act(event);
    });
  };
  pointer('pointerdown', (event) => {
    if (event.button !== 0 || !(event.target instanceof Element)) return;
    from = place(event);
    target = event.target;
  });
  pointer('pointermove', (event) => {
    if (from === undefined || event.pointerType === 'touch') return;
    const to = place(event);
    if (shape === undefined) {
      shape = svg('rect', { class: 'brush' });
      plot.append(shape);
      plot.setPointerCapture(event.pointerId);
    }
    shape.setAttribute('x', String(Math.min(from.x, to.x)));
    shape.setAttribute('y', String(Math.min(from.y, to.y)));
    shape.setAttribute('width', String(Math.abs(to.x - from.x)));
    shape.setAttribute('height', String(Math.abs(to.y - from.y)));
  });
  pointer('pointerup', (event) => {
    const [began, on] = [from, target];
    end();
    if (began !== undefined && on !== undefined) finish({ from: began, to: place(event), target: on });
  });
  plot.addEventListener('pointercancel', end);
}
