/** The text beside the pointer. One element serves all plots; what a shape says is asked for when the pointer is on it. */
import { h } from './element.js';

export interface HoverText {
  readonly title: string;
  readonly lines: readonly string[];
}

const OFFSET_PIXELS = 14;

let box: HTMLElement | undefined;

/** Shows the text at a place of the window. */
export function showHover(text: HoverText, x: number, y: number): void {
  box ??= document.body.appendChild(h('div', { class: 'hover', role: 'tooltip', id: 'hover' }));
  box.replaceChildren(h('strong', {}, text.title), ...text.lines.map((line) => h('div', {}, line)));
  box.hidden = false;
  const { width, height } = box.getBoundingClientRect();
  const left = x + OFFSET_PIXELS + width > innerWidth ? x - OFFSET_PIXELS - width : x + OFFSET_PIXELS;
  const top = y + OFFSET_PIXELS + height > innerHeight ? y - OFFSET_PIXELS - height : y + OFFSET_PIXELS;
  box.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, top)}px)`;
}

export function hideHover(): void {
  if (box !== undefined) box.hidden = true;
}

/**
 * Hover and click for the shapes of a plot.
 *
 * @param indexOf the datum that a shape stands for; undefined for anything else
 */
export function connectShapes(
  plot: Element,
  indexOf: (shape: Element) => number | undefined,
  textOf: (index: number) => HoverText | undefined,
  onClick?: (index: number) => void,
): void {
  const under = (event: Event): number | undefined =>
    event.target instanceof Element ? indexOf(event.target) : undefined;
  plot.addEventListener('pointermove', (event) => {
    if (!(event instanceof PointerEvent)) return;
    const index = under(event);
    const text = index === undefined ? undefined : textOf(index);
    if (text === undefined) hideHover();
    else showHover(text, event.clientX, event.clientY);
  });
  plot.addEventListener('pointerleave', hideHover);
  if (onClick === undefined) return;
  plot.addEventListener('click', (event) => {
    const index = under(event);
    if (index !== undefined) onClick(index);
  });
}

/** Shapes of one mark of Observable Plot, which binds the index of its datum to each; by the class name of the mark. */
export function indexInMark(className: string): (shape: Element) => number | undefined {
  return (shape) => {
    if (shape.closest(`.${className}`) === null) return undefined;
    const bound: unknown = Reflect.get(shape, '__data__');
    return typeof bound === 'number' ? bound : undefined;
  };
}
