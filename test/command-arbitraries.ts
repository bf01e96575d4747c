import fc from 'fast-check';
import { INSTRUCTIONS, type Instruction, MAX_LOOP_DEPTH, STRIPE_RINGS } from '../src/commands/instructions.js';
import type { Command, CommandStream, FieldStep } from '../src/commands/types.js';

const unsigned = fc.oneof(
  { weight: 4, arbitrary: fc.nat(300) },
  { weight: 2, arbitrary: fc.nat(2 ** 31 - 1) },
  { weight: 1, arbitrary: fc.maxSafeNat() },
);
const signed = fc.tuple(unsigned, fc.boolean()).map(([v, negative]) => {
  const magnitude = Math.min(v, 2 ** 52 - 1);
  return negative && magnitude > 0 ? -magnitude : magnitude;
});

const queued = INSTRUCTIONS.filter((i) => i.queue !== 'processor');

function fieldValue(instruction: Instruction, name: string): fc.Arbitrary<number> {
  if (name === 'wait' || name === 'signal') return fc.nat(0xffff);
  return instruction.fields.find((f) => f.name === name)?.type === 's' ? signed : unsigned;
}

function stepOf(instruction: Instruction, depth: number): fc.Arbitrary<FieldStep> {
  return fc.record({
    field: fc.constantFrom(...instruction.fields.map((f) => f.name)),
    level: fc.nat(depth - 1),
    delta: fc.tuple(fc.integer({ min: 1, max: 2 ** 31 - 1 }), fc.boolean()).map(([v, n]) => (n ? -v : v)),
    modulus: fc.oneof(fc.constant(0), fc.nat(100000)),
  });
}

function queuedCommand(depth: number): fc.Arbitrary<Command> {
  return fc.constantFrom(...queued).chain((instruction) =>
    fc.record({
      op: fc.constant(instruction.name),
      fields: fc
        .subarray(instruction.fields.map((f) => f.name))
        .chain((names) => fc.record(Object.fromEntries(names.map((name) => [name, fieldValue(instruction, name)])))),
      steps: depth === 0 ? fc.constant([]) : fc.array(stepOf(instruction, depth), { maxLength: 4 }),
    }),
  );
}

const stripeRing = fc
  .record({
    index: fc.integer({ min: 1, max: STRIPE_RINGS - 1 }),
    width: fc.integer({ min: 1, max: 5000 }),
    height: fc.integer({ min: 1, max: 40 }),
    phase: fc.nat(39),
    kept: fc.nat(40),
    shortColumns: fc.integer({ min: 1, max: 5000 }),
    longColumns: fc.integer({ min: 1, max: 50000 }),
  })
  .map((ring) => ({ ...ring, phase: ring.phase % ring.height, kept: ring.kept % (ring.height + 1) }));

function body(depth: number): fc.Arbitrary<Command[]> {
  const single: fc.Arbitrary<Command[]> = fc.oneof(
    queuedCommand(depth).map((c) => [c]),
    fc.constant<Command[]>([{ op: 'barrier', fields: {} }]),
    stripeRing.map((fields): Command[] => [{ op: 'stripeRing', fields }]),
    fc.tuple(fc.nat(15), fc.nat(5)).map(([index, value]): Command[] => [{ op: 'semaphore', fields: { index, value } }]),
  );
  const item =
    depth >= MAX_LOOP_DEPTH
      ? single
      : fc.oneof(
          { weight: 4, arbitrary: single },
          {
            weight: 1,
            arbitrary: fc
              .tuple(fc.integer({ min: 1, max: 1000 }), fc.constant(depth + 1).chain(body))
              .map(([count, inner]) => [{ op: 'loop', fields: { count } }, ...inner, { op: 'endLoop', fields: {} }]),
          },
        );
  return fc.array(item, { maxLength: 5 }).map((items) => items.flat());
}

/** Streams that may be encoded; their commands mean nothing. Not normalised: zero fields and steps in any order. */
export const commandStream: fc.Arbitrary<CommandStream> = fc.tuple(body(0), body(0)).map(([prologue, period]) => ({
  prologue: [...prologue, { op: 'endPrologue', fields: {} }],
  period: [...period, { op: 'endPeriod', fields: {} }],
}));
