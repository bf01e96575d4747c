/** sweep.html: a page with sweep.json in it, which its script draws. */
import { embeddedJson, pageFile } from '../page-file.js';
import type { Sweep } from './sweep-document.js';
import { formatSweep } from './sweep-text.js';

export function sweepPage(sweep: Sweep): string {
  return pageFile({
    parts: 'sweep/page',
    title: `${sweep.model.name}: sweep`,
    plainText: formatSweep(sweep),
    documents: `<script type="application/json" id="sweep">${embeddedJson(sweep)}</script>`,
  });
}
