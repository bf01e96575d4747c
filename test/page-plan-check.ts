/** Holds the rectangles of the memory map against each other and against the report that they stand beside. */
import type { PagePlan, PlacedBuffer } from '../src/driver/page-data.js';
import type { Report } from '../src/driver/report.js';

/** Two buffers in the same bytes at a step, one that is too high, or steps with more or less in SRAM than the report says. */
export function pagePlanProblems(plan: PagePlan, report: Report, alignmentBytes = 16): string[] {
  const problems: string[] = [];
  const say = (buffer: PlacedBuffer, what: string): void => {
    problems.push(`${buffer.kind} of ${report.tensors[buffer.tensor]?.name} at ${buffer.offsetBytes}: ${what}`);
  };
  for (const buffer of plan.buffers) {
    if (report.tensors[buffer.tensor] === undefined) say(buffer, 'no tensor');
    if (buffer.offsetBytes < 0 || buffer.sizeBytes <= 0) say(buffer, 'no place');
    if (buffer.offsetBytes + buffer.sizeBytes > report.sram.peakBytes) say(buffer, 'above the peak');
    if (buffer.startStep < 0 || buffer.endStep > report.layers.length) say(buffer, 'beyond the steps');
  }
  for (const { step, sramBytes } of report.layers) {
    // What is written over another shares its bytes with it until that one ends.
    const here = plan.buffers
      .filter((b) => b.startStep <= step && step < b.endStep && (b.overUntil === undefined || b.overUntil <= step))
      .sort((a, b) => a.offsetBytes - b.offsetBytes);
    here.forEach((buffer, i) => {
      const below = here[i - 1];
      if (below !== undefined && below.offsetBytes + below.sizeBytes > buffer.offsetBytes) {
        say(buffer, `overlaps ${below.kind} of ${report.tensors[below.tensor]?.name} at step ${step}`);
      }
    });
    // A load that runs ahead has its place to itself from where it begins.
    const early = plan.buffers.filter(
      (b) => b.loadedFrom !== undefined && Math.floor(b.loadedFrom) <= step && step < b.startStep,
    );
    for (const buffer of early) {
      const end = buffer.offsetBytes + buffer.sizeBytes;
      for (const other of plan.buffers) {
        const isThere = other.startStep <= step && step < other.endStep;
        if (isThere && other.offsetBytes < end && buffer.offsetBytes < other.offsetBytes + other.sizeBytes)
          say(buffer, `is loaded over ${other.kind} of ${report.tensors[other.tensor]?.name} at step ${step}`);
      }
    }
    const total = here.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const most = total + alignmentBytes * (here.length + 1);
    if (total > sramBytes || most < sramBytes)
      problems.push(`step ${step}: ${total} B are drawn, ${sramBytes} B are live`);
  }
  return problems;
}
