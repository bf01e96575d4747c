// How much SRAM is worth having? Compiles a model for one chip with more and more SRAM, and stops where twice as much saves
// less than 5 % of the traffic. The last program is then executed as a check.
//
//   node examples/which-sram.mjs examples/mobilenet-v2.model.ts chip-a
import { compile, loadChip, SpillwayError, simulate } from 'spillway';

const [model = 'examples/mobilenet-v2.model.ts', target = 'chip-a'] = process.argv.slice(2);
const chip = loadChip(target);

/** Undefined where the model does not fit. */
async function compileFor(sramBytes) {
  try {
    return await compile({ model, target: chip, sramBytes });
  } catch (error) {
    const isTooSmall = error instanceof SpillwayError && error.diagnostics.every(({ blame }) => blame === 'target');
    if (isTooSmall) return undefined;
    throw error;
  }
}

let best;
for (let sramBytes = 128 * 1024; sramBytes <= 32 * 2 ** 20; sramBytes *= 2) {
  const compiled = await compileFor(sramBytes);
  const kib = `${sramBytes / 1024} KiB`.padStart(9);
  if (compiled === undefined) {
    console.log(`${kib}  does not fit`);
    continue;
  }
  const { perFrameBytes, timing } = compiled.report;
  const area = (sramBytes / 2 ** 20) * chip.sram.areaMm2PerMiB;
  console.log(
    `${kib}  ${area.toFixed(2).padStart(6)} mm2  ${(perFrameBytes / 1e6).toFixed(3).padStart(8)} MB a frame  ${timing.framesPerSecond.toFixed(0).padStart(5)} frames/s`,
  );
  const before = best?.report.perFrameBytes ?? Number.POSITIVE_INFINITY;
  if (perFrameBytes > 0.95 * before) break;
  best = compiled;
}

if (best !== undefined) {
  const { faults, matchesReference, dramReadBytes, dramWriteBytes } = await simulate(best);
  const isTrue = dramReadBytes + dramWriteBytes === best.report.period.totalBytes;
  console.log(`\n${best.report.sram.capacityBytes / 1024} KiB is enough.`);
  console.log(
    `Simulated: ${faults.length} faults, bytes ${isTrue ? 'as reported' : 'NOT as reported'}, outputs ${matchesReference ? 'equal to' : 'DIFFERENT from'} the reference.`,
  );
}
