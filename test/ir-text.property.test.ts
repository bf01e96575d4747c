import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { SourceLoc } from '../src/base/diagnostic.js';
import { SpillwayError } from '../src/base/diagnostic.js';
import { parseProgram } from '../src/ir/parse.js';
import { constantBytes, printProgram } from '../src/ir/print.js';
import type { EpilogueStage, Op, Program, Tensor, TensorId } from '../src/ir/types.js';
import { wellFormed } from '../src/ir/verify.js';
import { programArbitrary } from './program-arbitraries.js';

const name = fc.oneof(fc.string(), fc.constantFrom('conv1/relu:0', 'a b', '', '"', '12', '%3', '_', 'x#y', 'at'));

const loc: fc.Arbitrary<SourceLoc> = fc.oneof(
  fc.record({ file: name, line: fc.nat(), column: fc.nat(), node: name }, { requiredKeys: ['file'] }),
  fc.constant({ file: 'random.model.ts' }),
);

/** A column means nothing without its line; the text form does not keep it. */
const meaningful = ({ line, column, ...rest }: SourceLoc): SourceLoc =>
  line === undefined ? rest : { ...rest, line, ...(column === undefined ? {} : { column }) };

const number = fc.oneof(fc.integer({ min: -128, max: 127 }), fc.double({ noNaN: true }));
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const rescale = fc.record({
  leftShift: fc.nat(31),
  multiplierA: int32,
  shiftA: int32,
  multiplierB: int32,
  shiftB: int32,
  multiplierOut: int32,
  shiftOut: int32,
});
const id = fc.nat(9).map((n) => n as TensorId);
const stage: fc.Arbitrary<EpilogueStage> = fc.oneof(
  fc.record({ kind: fc.constant('clamp' as const), lo: number, hi: number }),
  fc.record({ kind: fc.constant('lut' as const), table: id, resultZeroPoint: number }),
  fc.record({ kind: fc.constant('unary' as const), fn: fc.constantFrom('tanh', 'elu'), alpha: number, beta: number }),
  fc.record(
    {
      kind: fc.constant('add' as const),
      operand: id,
      valueIs: fc.constantFrom('a', 'b'),
      rescale,
      valueZeroPoint: number,
      resultZeroPoint: number,
    },
    { requiredKeys: ['kind', 'operand', 'valueIs', 'valueZeroPoint', 'resultZeroPoint'] },
  ),
);

/** Everything optional that a generated program has not got, at random: the text form is not only for sound programs. */
const decoration = fc.record(
  {
    name,
    loc: loc.map(meaningful),
    outsideAxes: fc.array(fc.nat(4)),
    outsideShape: fc.array(fc.nat(400)),
    storage: fc.record({
      root: id,
      offsetElements: fc.nat(),
      rowPitchElements: fc.nat(),
      pixelPitchElements: fc.nat(),
    }),
  },
  { requiredKeys: ['name', 'loc'] },
);
const opDecoration = fc.record(
  { name, loc: loc.map(meaningful), epilogue: fc.array(stage, { maxLength: 3 }), anchorZeroPoint: number },
  { requiredKeys: ['name', 'loc', 'epilogue'] },
);

const decorated: fc.Arbitrary<Program> = fc
  .tuple(programArbitrary(), fc.array(decoration, { minLength: 1 }), fc.array(opDecoration, { minLength: 1 }))
  .map(([program, tensorExtras, opExtras]) => {
    const tensors = new Map<TensorId, Tensor>();
    for (const [i, tensor] of [...program.tensors.values()].entries()) {
      tensors.set(tensor.id, { ...tensor, ...tensorExtras[i % tensorExtras.length] });
    }
    const ops = program.ops.map((op, i): Op => ({ ...op, ...opExtras[i % opExtras.length] }));
    return { ...program, tensors, ops };
  });

test('parse is the inverse of print, constants included', () => {
  fc.assert(
    fc.property(decorated, (program) => {
      expect(parseProgram(printProgram(program), constantBytes(program))).toEqual(program);
    }),
    { numRuns: 60 },
  );
});

test('print is the inverse of parse', () => {
  fc.assert(
    fc.property(decorated, (program) => {
      const text = printProgram(program);
      expect(printProgram(parseProgram(text, constantBytes(program)))).toBe(text);
    }),
    { numRuns: 60 },
  );
});

test('without the binary constants are empty, and everything else is there', () => {
  fc.assert(
    fc.property(programArbitrary(), (program) => {
      const parsed = parseProgram(printProgram(program));
      expect([...parsed.constants.values()].every((data) => data.length === 0)).toBe(true);
      expect({ ...parsed, constants: program.constants }).toEqual(program);
      expect(wellFormed(parsed)).toEqual([]);
    }),
    { numRuns: 30 },
  );
});

test('generated programs are well formed', () => {
  fc.assert(
    fc.property(programArbitrary(), (program) => {
      expect(wellFormed(program)).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

test('a line with one character changed parses or gives a diagnostic with its line', () => {
  const edit = fc.tuple(fc.nat(), fc.string({ minLength: 1, maxLength: 1 }));
  fc.assert(
    fc.property(programArbitrary({ maxOps: 4 }), edit, (program, [at, character]) => {
      const text = printProgram(program);
      const position = at % text.length;
      const edited = text.slice(0, position) + character + text.slice(position + 1);
      const line = text.slice(0, position).split('\n').length;
      try {
        parseProgram(edited, constantBytes(program), 'graph.ir');
      } catch (error) {
        expect(error).toBeInstanceOf(SpillwayError);
        if (!(error instanceof SpillwayError)) return;
        for (const diagnostic of error.diagnostics) {
          expect(diagnostic.loc.file).toBe('graph.ir');
          // A new id can clash with a later definition, a removed line break joins two lines.
          expect(diagnostic.loc.line).toBeGreaterThanOrEqual(line);
          expect(diagnostic.loc.column).toBeGreaterThanOrEqual(1);
        }
      }
    }),
    { numRuns: 100 },
  );
});
