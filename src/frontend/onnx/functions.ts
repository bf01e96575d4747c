/** Functions of one number, spelled out in those that the machine has. */
import { type NodeContext, real, settled, type Value } from './value.js';

type Composition = (ctx: NodeContext) => readonly Value[];

/** A composition of one operand; `of` applies an operator of the standard. */
const composed =
  (make: (x: Value, of: (operator: string, ...operands: readonly Value[]) => Value) => Value): Composition =>
  (ctx) => [make(settled(ctx, 0), (operator, ...operands) => ctx.apply(operator, operands))];

const squaresToOne: Parameters<typeof composed>[0] = (x, of) => of('Sqrt', of('Sub', real(1), of('Mul', x, x)));

export const FUNCTIONS: readonly (readonly [string, Composition])[] = [
  ['Tan', composed((x, of) => of('Div', of('Sin', x), of('Cos', x)))],
  ['Asin', composed((x, of) => of('Atan', of('Div', x, squaresToOne(x, of))))],
  ['Acos', composed((x, of) => of('Sub', real(Math.PI / 2), of('Atan', of('Div', x, squaresToOne(x, of)))))],
  ['Sinh', composed((x, of) => of('Mul', of('Sub', of('Exp', x), of('Exp', of('Neg', x))), real(0.5)))],
  ['Cosh', composed((x, of) => of('Mul', of('Add', of('Exp', x), of('Exp', of('Neg', x))), real(0.5)))],
  [
    'Asinh', // odd: of the magnitude, where nothing cancels
    composed((x, of) => {
      const size = of('Abs', x);
      const root = of('Sqrt', of('Add', of('Mul', x, x), real(1)));
      return of('Mul', of('Sign', x), of('Log', of('Add', size, root)));
    }),
  ],
  ['Acosh', composed((x, of) => of('Log', of('Add', x, of('Sqrt', of('Sub', of('Mul', x, x), real(1))))))],
  [
    'Atanh',
    composed((x, of) => of('Mul', of('Log', of('Div', of('Add', real(1), x), of('Sub', real(1), x))), real(0.5))),
  ],
];
