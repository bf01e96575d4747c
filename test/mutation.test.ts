/**
 * Sound programs are broken in some thousand ways. A mutant may be refused, faulted, or equivalent; or it is found because it moves
 * other bytes than the report says, or because its outputs are not those of the reference. Only a fault will do where two queues
 * get out of order: outputs that happen to be right say nothing there.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { MOST_RINGS } from '../passes/weight-rings.js';
import { decodeStream } from '../src/commands/decode.js';
import { INSTRUCTIONS, SEMAPHORES } from '../src/commands/instructions.js';
import { type CompileRequest, compile } from '../src/index.js';
import { scratchDirectory } from './cli-harness.js';
import { type Mutant, mutantsOf, type Sound, soundProgram, type Verdict, verdictOf } from './program-mutations.js';

jest.setTimeout(300_000);

const scratch = scratchDirectory();
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Small, but with a residual, a window that strides, a concatenation, and weights of more than one chunk. */
const MODEL = `import { add, concat, conv2d, dense, input, maxPool, model, reshape } from 'spillway/model';
export default model({ name: 'micro', params: {}, build: () => {
  const x = input({ name: 'x', height: 6, width: 6, channels: 4 });
  const a = conv2d(x, { name: 'a', channels: 4, kernel: 3, pad: 1, activation: 'relu' });
  const b = add(a, x, { name: 'b' });
  const c = conv2d(b, { name: 'c', channels: 4, kernel: 3, stride: 2, pad: 1 });
  const d = maxPool(b, { name: 'd', kernel: 2, stride: 2 });
  const e = concat([c, d], { name: 'e' });
  return dense(reshape(e, [1, 72], { name: 'f' }), { name: 'g', channels: 5 });
} });
`;

/** Layers whose weights follow each other through a ring of slots. */
const CHAIN = `import { conv2d, input, model } from 'spillway/model';
export default model({ name: 'chain', params: {}, build: () => {
  let x = input({ name: 'x', height: 6, width: 6, channels: 4 });
  for (let i = 0; i < 5; i += 1) x = conv2d(x, { name: \`c\${i}\`, channels: 12, kernel: 3, pad: 1, activation: 'relu' });
  return x;
} });
`;

interface Way extends Omit<CompileRequest, 'model' | 'target'> {
  readonly text?: string; // MODEL when absent
}

const WAYS: Readonly<Record<string, Way>> = {
  'in a block': { sramBytes: 768 },
  'layer by layer': { sramBytes: 768, blocks: false },
  'from DRAM': { sramBytes: 640, placement: 'none', batch: 2 },
  'with streamed weights': { sramBytes: 480, resident: false },
  'through a ring of weights': { text: CHAIN, sramBytes: 5120, resident: false, objective: 'latency' },
};

/** SPILLWAY_MUTANTS=all breaks every field in every way; otherwise that is done to one program, and with its lowest bit only. */
const ALL = process.env.SPILLWAY_MUTANTS === 'all';

function isTried({ kind, what }: Mutant, withFields: boolean): boolean {
  if (ALL || !kind.startsWith('flip')) return true;
  return withFields && what.endsWith('(lowest)');
}

/** Of a queue that runs before it may: what it does with the bytes is left to chance. */
const ORDER = ['drop a wait', 'drop a signal', 'swap two commands'];

describe.each(Object.entries(WAYS))('%s', (name, way) => {
  const withFields = ALL || name === 'in a block';
  let sound: Sound;
  const verdicts: { readonly mutant: Mutant; readonly verdict: Verdict }[] = [];

  beforeAll(async () => {
    const { text = MODEL, ...request } = way;
    const model = join(scratch, 'micro.model.ts');
    writeFileSync(model, text);
    const compiled = await compile({ model, target: 'chip-a', ...request });
    const program = compiled.files.get('program.bin');
    if (!(program instanceof Uint8Array)) throw new Error('no program');
    sound = soundProgram(compiled, decodeStream(program));
    for (const mutant of mutantsOf(sound.stream)) {
      if (isTried(mutant, withFields)) verdicts.push({ mutant, verdict: verdictOf(sound, mutant) });
    }
  });

  const of = (kind: string | RegExp, ...wanted: readonly Verdict[]): string[] =>
    verdicts
      .filter(({ mutant, verdict }) => mutant.kind.search(kind) === 0 && wanted.includes(verdict))
      .map(({ mutant, verdict }) => `${verdict}: ${mutant.kind}, ${mutant.what}`);

  (name.includes('ring') ? test : test.skip)('the program has such a ring', () => {
    const semaphores = sound.stream.period.filter(({ op }) => op === 'semaphore');
    expect(semaphores.some(({ fields }) => fields.index === SEMAPHORES - MOST_RINGS)).toBe(true);
  });

  (withFields ? test : test.skip)('every field of every opcode in the program was flipped', () => {
    const opcodes = new Set([...sound.stream.prologue, ...sound.stream.period].map(({ op }) => op));
    const fields = INSTRUCTIONS.filter(({ name }) => opcodes.has(name)).flatMap(({ name, fields }) =>
      fields.map((field) => `${name}.${field.name}`),
    );
    const flipped = new Set(verdicts.map(({ mutant }) => mutant.kind.replace('flip a bit of ', '')));
    expect(fields.filter((field) => !flipped.has(field) && !/\.(wait|signal)$/.test(field))).toEqual([]);
  });

  test.each(ORDER)('%s: a fault, or nothing that depends on time', (kind) => {
    expect(of(kind, 'wrong', 'counted')).toEqual([]);
    expect(of(kind, 'faulted').length).toBeGreaterThan(0);
  });

  test('most other mutants are faults; the rest is found by the bytes or by the outputs', () => {
    const broken = verdicts.filter(
      ({ mutant, verdict }) => !mutant.kind.startsWith('flip') && verdict !== 'equivalent',
    );
    const found = broken.filter(({ verdict }) => verdict === 'refused' || verdict === 'faulted');
    expect(broken.length).toBeGreaterThan(50);
    expect(found.length / broken.length).toBeGreaterThan(0.6);
    if (ALL)
      process.stderr.write(
        `${name}: ${verdicts.length} mutants\n${of(/./, 'wrong', 'counted', 'equivalent').join('\n')}\n`,
      );
  });
});
