/** A table that sorts by any column and filters by any text. */
import { button, h } from './element.js';
import { integer } from './format.js';

export interface Column<Row> {
  readonly label: string;
  readonly value: (row: Row) => string | number; // what is sorted by; numbers stand to the right
  readonly text?: (row: Row) => string; // what is shown; the value when absent
  readonly isWords?: boolean; // long text
  readonly isName?: boolean; // opens the row
}

export interface TableOptions<Row> {
  readonly label: string;
  readonly rows: readonly Row[];
  readonly columns: readonly Column<Row>[];
  readonly onOpen: (index: number) => void;
}

export interface SortedTable {
  readonly element: HTMLElement;
  /** Marks a row, and brings it into view within the table. */
  readonly mark: (index: number | undefined) => void;
}

export function sortedTable<Row>({ label, rows, columns, onOpen }: TableOptions<Row>): SortedTable {
  const isNumber = columns.map(({ value }) => rows.length > 0 && rows.every((row) => typeof value(row) === 'number'));
  const elements = rows.map((row, index) =>
    h(
      'tr',
      { 'data-row': index },
      ...columns.map((column, c) => cell(row, column, isNumber[c] === true, () => onOpen(index))),
    ),
  );
  const texts = rows.map((row) =>
    columns
      .map((column) => shown(row, column))
      .join('\n')
      .toLowerCase(),
  );
  const body = h('tbody', {}, ...elements);
  const counted = h('span', { role: 'status' });
  const filter = h('input', {
    class: 'filter',
    type: 'search',
    placeholder: `Filter ${label}`,
    'aria-label': `Filter ${label}`,
  });
  const applyFilter = (): void => {
    const words = filter.value
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== '');
    let left = 0;
    elements.forEach((element, i) => {
      const isIn = words.every((word) => texts[i]?.includes(word));
      element.hidden = !isIn;
      if (isIn) left += 1;
    });
    counted.textContent =
      left === rows.length
        ? `${integer(rows.length)} ${label}`
        : `${integer(left)} of ${integer(rows.length)} ${label}`;
  };
  filter.addEventListener('input', applyFilter);
  applyFilter();

  const heads = columns.map((column, c) =>
    h(
      'th',
      { scope: 'col', class: isNumber[c] ? 'number' : undefined, 'aria-sort': 'none' },
      button(column.label, () => sortBy(c)),
    ),
  );
  const sortBy = (c: number): void => {
    const [head, column] = [heads[c], columns[c]];
    if (head === undefined || column === undefined) return;
    // Numbers are wanted largest first, names in order.
    const first = isNumber[c] ? 'descending' : 'ascending';
    const second = isNumber[c] ? 'ascending' : 'descending';
    const direction = head.getAttribute('aria-sort') === first ? second : first;
    for (const other of heads) other.setAttribute('aria-sort', 'none');
    head.setAttribute('aria-sort', direction);
    const sign = direction === 'ascending' ? 1 : -1;
    const values = rows.map((row) => column.value(row));
    const order = rows.map((_, i) => i).sort((a, b) => sign * compare(values[a] ?? 0, values[b] ?? 0) || a - b);
    body.replaceChildren(...order.flatMap((i) => elements[i] ?? []));
  };
  const scroll = h(
    'div',
    { class: 'table-scroll', tabindex: 0, role: 'region', 'aria-label': label },
    h('table', {}, h('thead', {}, h('tr', {}, ...heads)), body),
  );
  return {
    element: h('div', {}, h('div', { class: 'tools' }, filter, counted), scroll),
    mark: (index) => {
      elements.forEach((element, i) => {
        element.classList.toggle('selected', i === index);
      });
      const row = index === undefined ? undefined : elements[index];
      if (row === undefined || row.hidden) return;
      scroll.scrollTop = row.offsetTop - scroll.clientHeight / 2;
    },
  };
}

function compare(a: string | number, b: string | number): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a).localeCompare(String(b), 'en', { numeric: true });
}

function shown<Row>(row: Row, column: Column<Row>): string {
  if (column.text !== undefined) return column.text(row);
  const value = column.value(row);
  return typeof value === 'number' ? integer(value) : value;
}

/** A long name may go on in the next line behind a point or a slash, rather than anywhere. */
function breakable(name: string): (string | HTMLElement)[] {
  return name.split(/(?<=[./:])/).flatMap((part, i) => (i === 0 ? [part] : [h('wbr'), part]));
}

function cell<Row>(row: Row, column: Column<Row>, isNumber: boolean, onOpen: () => void): HTMLElement {
  const text = shown(row, column);
  const value = column.value(row);
  if (column.isName) {
    const link = button('', onOpen, { class: 'link' });
    link.append(...breakable(text));
    return h('td', { class: 'name' }, link);
  }
  if (isNumber) return h('td', { class: 'number', 'data-value': value }, text);
  return h('td', { class: column.isWords ? 'words' : undefined }, text);
}
