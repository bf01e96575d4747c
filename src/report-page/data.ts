/** The three documents that the page carries. */
import type { PagePlan, PageSimulation } from '../driver/page-data.js';
import type { LayerReport, Report, TensorReport } from '../driver/report.js';

export type { LayerEdge, PageBlock, PagePlan, PageSimulation, PlacedBuffer, TimeBins } from '../driver/page-data.js';
export type { LayerReport, Report, TensorReport } from '../driver/report.js';

export interface PageDocuments {
  readonly report: Report;
  readonly plan: PagePlan;
  readonly simulation: PageSimulation | null;
}

function parse(id: string): unknown {
  return JSON.parse(document.getElementById(id)?.textContent ?? 'null');
}

export function readDocuments(): PageDocuments {
  return {
    report: parse('report') as Report,
    plan: parse('plan') as PagePlan,
    simulation: parse('simulation') as PageSimulation | null,
  };
}

export function tensorAt({ report }: PageDocuments, index: number): TensorReport | undefined {
  return report.tensors[index];
}

export function layerAt({ report }: PageDocuments, step: number): LayerReport | undefined {
  return report.layers[step];
}
