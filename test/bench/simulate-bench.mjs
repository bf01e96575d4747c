/**
 * Simulation with data, plain kernels beside vector instructions, the check against the reference included. The two take
 * turns, so that what else the machine does falls on both; of repeated runs the least counts.
 */
import { rmSync } from 'node:fs';

/** Name, model, options, and the seconds that the vector kernels may take on a machine of two cores with nothing else to do. */
const CASES = [
  ['resnet50', 'examples/resnet50.model.ts', [], 3],
  ['yolov3-416', 'examples/yolov3.model.ts', ['--param', 'size=416'], 15],
  ['mobilenet-v2', 'examples/mobilenet-v2.model.ts', [], null],
  ['fsrcnn', 'examples/fsrcnn.model.ts', [], null],
];

const KERNELS = ['plain', 'simd'];

/**
 * @param run runs the command line and measures it
 * @param root of the project, with a slash
 */
export function simulateBench(run, repeats, root) {
  const rows = [];
  console.log('\nsimulation with data on chip-a, the reference in a second thread: plain kernels beside simd');
  for (const [name, model, options, mostSeconds] of CASES) {
    const directory = `${root}out/bench-data`;
    const compiled = run(['compile', model, '-t', 'chip-a', ...options, '-o', directory, '--json']);
    const taken = { plain: [], simd: [] };
    let error = compiled.error;
    for (let i = 0; i < repeats && error === undefined; i += 1) {
      for (const kernels of KERNELS) {
        const one = run(['simulate', directory, '--kernels', kernels, '--json']);
        error ??= one.error;
        taken[kernels].push(one);
      }
    }
    rmSync(directory, { recursive: true, force: true });
    if (error !== undefined) {
      rows.push({ name, error });
      console.log(`${name.padEnd(14)} ${error}`);
      continue;
    }
    const least = (kernels, what) => Math.min(...taken[kernels].map((one) => one[what]));
    const [plain, simd] = KERNELS.map((kernels) => ({
      seconds: least(kernels, 'seconds'),
      cpuSeconds: least(kernels, 'cpuSeconds'),
      allSeconds: taken[kernels].map((one) => one.seconds),
    }));
    const outputs = KERNELS.map((kernels) => JSON.stringify(taken[kernels][0].document.outputs));
    const row = {
      name,
      plain,
      simd,
      ratioSeconds: plain.seconds / simd.seconds,
      ratioCpuSeconds: plain.cpuSeconds / simd.cpuSeconds,
      mostSeconds,
      problems: [
        ...(outputs[0] === outputs[1] ? [] : ['outputs differ']),
        ...(taken.simd[0].document.matchesReference === true ? [] : ['not equal to the reference']),
        ...(mostSeconds === null || simd.seconds <= mostSeconds ? [] : [`over ${mostSeconds} s`]),
      ],
    };
    rows.push(row);
    const show = ({ seconds, cpuSeconds }) => `${seconds.toFixed(2)} s (${cpuSeconds.toFixed(2)} of CPU)`;
    console.log(
      `${name.padEnd(14)} plain ${show(plain)}, simd ${show(simd)}: ${row.ratioSeconds.toFixed(2)} times as fast, ${row.ratioCpuSeconds.toFixed(2)} of CPU; ${row.problems.join('; ')}`,
    );
  }
  return rows;
}
