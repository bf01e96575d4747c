/** report.html: builds the page from the documents in it. The map is drawn first, the rest as soon as that stands. */
import { readDocuments } from './data.js';
import { details } from './details.js';
import { h } from './element.js';
import { opening, type Section } from './figure.js';
import { graph } from './graph.js';
import { headline } from './headline.js';
import { kinds } from './kinds.js';
import { memoryMap } from './memory-map.js';
import { plans } from './plans.js';
import { roofline } from './roofline.js';
import { Selection } from './selection.js';
import { layerTable, tensorTable } from './tables.js';
import { time } from './time.js';
import { traffic } from './traffic.js';

const documents = readDocuments();
const selection = new Selection();

const makers: readonly { readonly id: string; readonly name: string; readonly make: () => Section }[] = [
  { id: 'memory', name: 'Memory map', make: () => memoryMap(documents, selection) },
  { id: 'traffic', name: 'Traffic', make: () => traffic(documents, selection) },
  { id: 'kinds', name: 'Bytes', make: () => kinds(documents.report) },
  { id: 'time', name: 'Time', make: () => time(documents) },
  ...(documents.report.plans.length > 1 ? [{ id: 'plans', name: 'Plans', make: () => plans(documents.report) }] : []),
  { id: 'roofline', name: 'Roofline', make: () => roofline(documents, selection) },
  { id: 'graph', name: 'Graph', make: () => graph(documents, selection) },
  { id: 'layers', name: 'Layers', make: () => layerTable(documents, selection) },
  { id: 'tensors', name: 'Tensors', make: () => tensorTable(documents, selection) },
];

const main = h('main', { id: 'content' });
document.getElementById('page')?.append(...opening(headline(documents), makers), main, details(documents, selection));

/** One section in each turn of the event loop: the page answers meanwhile. */
function show(index: number): void {
  const maker = makers[index];
  if (maker === undefined) {
    selection.restore({ tensor: documents.report.tensors.length, layer: documents.report.layers.length });
    document.documentElement.dataset.ready = String(Math.round(performance.now()));
    return;
  }
  const { element, onShown } = maker.make();
  main.append(element);
  onShown?.();
  setTimeout(() => show(index + 1));
}

show(0);
