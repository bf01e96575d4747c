/** A section of the page with a plot that follows the width of the window. */
import { h } from './element.js';

export interface Section {
  readonly element: HTMLElement;
  readonly body: HTMLElement;
  /** Draws what needs the width of the page; called once the section stands in it. */
  onShown?: () => void;
}

export function section(id: string, title: string, lead: string): Section {
  const body = h('div', { class: 'section-body' });
  const element = h(
    'section',
    { id, 'aria-labelledby': `${id}-title` },
    h('h2', { id: `${id}-title` }, title),
    h('p', { class: 'lead' }, lead),
    body,
  );
  return { element, body };
}

/** Draws into a place now and whenever its width changes. */
export function drawAtWidth(place: HTMLElement, draw: (width: number) => Node, after?: () => void): () => void {
  let drawn = 0;
  const redraw = (): void => {
    drawn = Math.max(280, Math.floor(place.clientWidth));
    place.replaceChildren(draw(drawn));
    after?.();
  };
  redraw();
  let waiting = 0;
  new ResizeObserver(() => {
    if (Math.abs(place.clientWidth - drawn) < 8) return;
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(redraw);
  }).observe(place);
  return redraw;
}

/** Swatches with words; colours are names of style variables. */
export function legend(entries: readonly { readonly label: string; readonly colour: string }[]): HTMLElement {
  return h(
    'ul',
    { class: 'legend', 'aria-label': 'colours' },
    ...entries.map(({ label, colour }) =>
      h('li', {}, h('span', { class: 'swatch', style: `background: var(${colour})`, 'aria-hidden': 'true' }), label),
    ),
  );
}

/** Colours of the classes of traffic, in the order in which they are stacked. */
export const CLASSES = [
  { name: 'weights', label: 'weights', colour: '--weights' },
  { name: 'activations', label: 'activations', colour: '--activations' },
  { name: 'input', label: 'model input', colour: '--input' },
  { name: 'output', label: 'model output', colour: '--output' },
  { name: 'code', label: 'control code', colour: '--code' },
] as const;

/** What both pages begin with, for those who use no mouse, and for all: a way past it, the headline, and links to the sections. */
export function opening(top: Node, sections: readonly { readonly id: string; readonly name: string }[]): Node[] {
  const links = sections.map(({ id, name }) => h('li', {}, h('a', { href: `#${id}` }, name)));
  return [
    h('a', { class: 'skip', href: '#content' }, 'Skip to the content'),
    top,
    h('nav', { class: 'contents', 'aria-label': 'Contents' }, h('ul', {}, ...links)),
  ];
}
