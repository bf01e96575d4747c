import type { Node } from 'ts-morph';
import type { Diagnostic, SourceLoc } from '../../base/diagnostic.js';
import type { DslCode, Machine } from './machine.js';
import type { Frame } from './scope.js';
import type { Value } from './values.js';

/** An expression translated once and evaluated any number of times. */
export type Expr = (frame: Frame) => Value;

/** How a statement ended: undefined went through to its end. */
export type Completion = undefined | 'break' | 'continue' | ReturnSignal;

export interface ReturnSignal {
  readonly value: Value;
}

export type Stmt = (frame: Frame) => Completion;

/** One source file while it is translated: where its diagnostics go, and the machine it will run on. */
export interface Unit {
  readonly file: string; // as shown to the user
  readonly machine: Machine;
  readonly diagnostics: Diagnostic[];
}

export function locate(unit: Unit, node: Node): SourceLoc {
  // The compiler's own node has a table of lines; ts-morph's method counts them from the start of the file each time.
  const { line, character } = node.getSourceFile().compilerNode.getLineAndCharacterOfPosition(node.getStart());
  return { file: unit.file, line: line + 1, column: character + 1 };
}

/** What evaluating the node once is charged: its length bounds the work in it, calls and loops aside. */
export function stepsOf(node: Node | undefined): number {
  return node === undefined ? 1 : 1 + (node.getWidth() >> 3);
}

/** Notes what is wrong at the node; translation goes on, so that one run lists everything that is not evaluated. */
export function report(unit: Unit, code: DslCode, message: string, node: Node, hint?: string): void {
  const diagnostic: Diagnostic = { code, blame: 'model', message, loc: locate(unit, node) };
  unit.diagnostics.push(hint === undefined ? diagnostic : { ...diagnostic, hint });
}

const ALLOWED =
  'a model file is evaluated, never run: const and let, functions, if, switch, for, for-of, while, arithmetic, ' +
  "strings, lists, objects, destructuring, Math, and the functions of 'spillway/model' are allowed";

/** A construct outside the language of model files. */
export function reportNotEvaluated(unit: Unit, what: string, node: Node, hint: string = ALLOWED): void {
  report(unit, 'SW1003', `${what} not evaluated`, node, hint);
}
