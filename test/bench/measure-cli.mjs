// Runs the command line in this process and leaves, in the file that argv[2] names, what it took: used by bench.mjs.
import { writeFileSync } from 'node:fs';

const [, , file, ...args] = process.argv;
const cli = new URL('../../dist/src/cli.js', import.meta.url);
process.argv = [process.execPath, cli.pathname, ...args];
process.on('exit', () => {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage(); // KiB and microseconds
  writeFileSync(file, JSON.stringify({ peakBytes: maxRSS * 1024, cpuSeconds: (userCPUTime + systemCPUTime) / 1e6 }));
});
await import(cli.href);
