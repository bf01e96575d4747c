/** Mutation test of the simulator: every mutant is refused, reported as a fault, or shown to do the same. */
import { describe, expect, jest, test } from '@jest/globals';
import { SpillwayError } from '../src/base/diagnostic.js';
import { decodeStream } from '../src/commands/decode.js';
import type { Manifest } from '../src/commands/manifest.js';
import { compile, loadChip } from '../src/index.js';
import { loadProgram } from '../src/simulator/load-program.js';
import { type SimulationResult, simulate } from '../src/simulator/simulate.js';
import { type Mutant, mutantFiles, mutantsOf } from './mutants.js';

jest.setTimeout(300_000);

/** 1 of so many mutants of fields is run, and of the others as many as each program says; all of them with 1. */
const SHARE = Number(process.env.SPILLWAY_MUTANT_SHARE ?? 24);

type Verdict = 'refused' | 'fault' | 'equivalent' | 'other traffic' | 'other outputs';

function verdictOf({ stream }: Mutant, manifest: Manifest, image: Uint8Array, sound: SimulationResult): Verdict {
  let result: SimulationResult;
  try {
    const files = mutantFiles(stream, manifest);
    result = simulate(loadProgram(files.manifest, files.program, image, 'mutant'), { seed: 1 });
  } catch (error) {
    if (error instanceof SpillwayError) return 'refused';
    throw error;
  }
  if (result.faultCount > 0) return 'fault';
  if (result.outputs.some(({ sha256 }, i) => sha256 !== sound.outputs[i]?.sha256)) return 'other outputs';
  const moved = ({ bytesByClass }: SimulationResult) => JSON.stringify({ ...bytesByClass, code: 0 });
  return moved(result) === moved(sound) ? 'equivalent' : 'other traffic';
}

describe.each([
  ['in blocks', 3072, 2, {}],
  ['layer by layer, everything in DRAM', 4096, 12, { placement: 'none' as const, blocks: false }],
  ['with streamed weights', 1536, 12, { resident: false }],
])('tiny %s', (_, sramBytes, share, options) => {
  test('no mutant passes', async () => {
    const base = loadChip('chip-a');
    const target = { ...base, sram: { ...base.sram, bytes: sramBytes } };
    const compiled = await compile({ model: 'examples/tiny.model.ts', target, ...options });
    const file = (name: string): Uint8Array => {
      const content = compiled.files.get(name);
      if (!(content instanceof Uint8Array)) throw new Error(name);
      return content;
    };
    const [program, image] = [file('program.bin'), file('dram.bin')];
    const sound = simulate(loadProgram(compiled.manifest, program, image, 'sound'), { seed: 1 });
    expect(sound.faults).toEqual([]);
    const counts = new Map<string, number>();
    const survivors: string[] = [];
    let [fields, others] = [0, 0];
    const shareOfOthers = SHARE === 1 ? 1 : share;
    for (const mutant of mutantsOf(decodeStream(program))) {
      if (mutant.what.includes(': bit ') && fields++ % (SHARE * shareOfOthers) !== 0) continue;
      if (!mutant.what.includes(': bit ') && others++ % shareOfOthers !== 0) continue;
      const verdict = verdictOf(mutant, compiled.manifest, image, sound);
      const key = `${mutant.kind} ${verdict}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
      // When things are done must never show in the outputs without a fault.
      if (mutant.kind === 'order' && (verdict === 'other outputs' || verdict === 'other traffic'))
        survivors.push(`${mutant.what}: ${verdict}`);
    }
    if (process.env.SPILLWAY_MUTANT_SHARE !== undefined) process.stderr.write(`${JSON.stringify([...counts])}\n`);
    expect(survivors).toEqual([]);
    for (const kind of ['order fault', 'place fault', 'meaning fault'])
      expect(counts.get(kind) ?? 0).toBeGreaterThan(0);
  });
});
