// Installs and builds on a fresh clone, so that `npm test` and `npm run demo` need nothing before them.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const run = (...args) => {
  const done = spawnSync('npm', args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (done.status !== 0) process.exit(done.status ?? 1);
};
if (!existsSync('node_modules/.package-lock.json')) run('ci', '--no-audit', '--no-fund');
run('run', '--silent', 'build');
