/** The report's rows: layers and tensors. */
import type { LayerReport, PageDocuments, TensorReport } from './data.js';
import { type Section, section } from './figure.js';
import { integer } from './format.js';
import type { Selected, Selection } from './selection.js';
import { type Column, sortedTable, type TableOptions } from './table.js';

const LAYER_COLUMNS: readonly Column<LayerReport>[] = [
  { label: 'step', value: ({ step }) => step },
  { label: 'layer', value: ({ name }) => name, isName: true },
  { label: 'kind', value: ({ kind }) => kind },
  { label: 'output', value: ({ outputShape }) => outputShape.join('\u00d7') },
  { label: 'how it runs', value: ({ tiling }) => tiling, isWords: true },
  { label: 'read B', value: ({ readBytes }) => readBytes },
  { label: 'written B', value: ({ writeBytes }) => writeBytes },
  { label: 'weights B', value: ({ weightBytes }) => weightBytes },
  { label: 'resident B', value: ({ residentBytes }) => residentBytes },
  { label: 'SRAM B', value: ({ sramBytes }) => sramBytes },
  { label: 'MACs', value: ({ macs }) => macs },
  { label: 'cycles (est.)', value: ({ cycles }) => cycles },
  {
    label: 'SRAM value',
    value: ({ sramValue }) => sramValue,
    text: ({ sramValue }) => (sramValue === 0 ? '0' : sramValue.toFixed(3)),
  },
];

const TENSOR_COLUMNS: readonly Column<TensorReport>[] = [
  { label: 'tensor', value: ({ name }) => name, isName: true },
  { label: 'class', value: (tensor) => tensor.class },
  { label: 'bytes', value: ({ bytes }) => bytes },
  { label: 'home', value: ({ home }) => home },
  { label: 'read B', value: ({ readBytes }) => readBytes },
  { label: 'written B', value: ({ writeBytes }) => writeBytes },
  { label: 'why', value: ({ why }) => why, isWords: true },
];

export function layerTable({ report }: PageDocuments, selection: Selection): Section {
  const made = section(
    'layers',
    'Layers',
    `In the order in which they run. Bytes are those of a period (${integer(report.batch)} frame${report.batch === 1 ? '' : 's'}). SRAM value: DRAM bytes of a frame that one more byte of SRAM at this step would save.`,
  );
  made.body.append(selectable('layer', { label: 'layers', rows: report.layers, columns: LAYER_COLUMNS }, selection));
  return made;
}

export function tensorTable({ report }: PageDocuments, selection: Selection): Section {
  const made = section(
    'tensors',
    'Tensors',
    "Where each tensor is between the steps that write and read it, what it moves in a period, and why. Reads and writes of all rows add up to the period's.",
  );
  made.body.append(
    selectable('tensor', { label: 'tensors', rows: report.tensors, columns: TENSOR_COLUMNS }, selection),
  );
  return made;
}

/** A table whose rows open what they are about, and are marked while that is selected. */
function selectable<Row>(
  kind: Selected['kind'],
  options: Omit<TableOptions<Row>, 'onOpen'>,
  selection: Selection,
): HTMLElement {
  const table = sortedTable({ ...options, onOpen: (index) => selection.select({ kind, index }) });
  selection.onChange((selected) => table.mark(selected?.kind === kind ? selected.index : undefined));
  return table.element;
}
