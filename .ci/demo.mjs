// npm run demo: installs and builds where that has not been done, then shows ResNet-50 on three chips.
import './setup.mjs';

const { runDemo } = await import('../dist/src/driver/demo.js');
const started = performance.now();
const holds = await runDemo({
  model: 'examples/resnet50.model.ts',
  targets: ['chip-a', 'chip-b', 'chip-c'],
  directory: 'out/demo',
  print: (text) => process.stdout.write(text),
});
process.stdout.write(`${((performance.now() - started) / 1000).toFixed(0)} s\n`);
process.exitCode = holds ? 0 : 1;
