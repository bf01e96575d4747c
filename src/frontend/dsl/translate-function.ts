import type { ArrowFunction, FunctionDeclaration, FunctionExpression, MethodDeclaration } from 'ts-morph';
import { type Frame, innerScope, newFrame, type Scope } from './scope.js';
import { translateExpression } from './translate-expression.js';
import { type Bind, declareNames, translateBinding } from './translate-pattern.js';
import { translateBlock } from './translate-statement.js';
import { Node } from './ts-morph.js';
import { reportNotEvaluated, stepsOf, type Unit } from './unit.js';
import type { FunctionValue, Value } from './values.js';

type FunctionNode = ArrowFunction | FunctionExpression | FunctionDeclaration | MethodDeclaration;

/** A function of the model file as a value that closes over the frame it is made in. */
export function translateFunction(unit: Unit, scope: Scope, node: FunctionNode): (frame: Frame) => FunctionValue {
  if (node.isAsync()) reportNotEvaluated(unit, 'async functions are', node);
  if (!Node.isArrowFunction(node) && node.isGenerator()) reportNotEvaluated(unit, 'generator functions are', node);
  const name = functionName(node);
  const inner = innerScope(scope);
  const bindParameters = translateParameters(unit, inner, node);
  const run = translateBody(unit, inner, node);
  const { machine } = unit;
  const steps = callSteps(node);
  return (closure) => ({
    kind: 'function',
    name,
    call: (args, site) =>
      machine.within(name, site, steps, () => {
        const frame = newFrame(inner, closure);
        bindParameters(frame, args);
        return run(frame);
      }),
  });
}

/** Statements of a body are charged one by one; parameters and an expression as body belong to the call. */
function callSteps(node: FunctionNode): number {
  const body = node.getBody();
  const parameters = node.getParameters().reduce((sum, parameter) => sum + stepsOf(parameter), 1);
  return Node.isBlock(body) ? parameters : parameters + stepsOf(body);
}

function functionName(node: FunctionNode): string {
  const own = Node.isArrowFunction(node) ? undefined : node.getName();
  if (own !== undefined) return `${own}()`;
  const parent = node.getParent();
  if (Node.isVariableDeclaration(parent) || Node.isPropertyAssignment(parent)) return `${parent.getName()}()`;
  return `the function at line ${node.getStartLineNumber()}`;
}

function translateParameters(
  unit: Unit,
  inner: Scope,
  node: FunctionNode,
): (frame: Frame, args: readonly Value[]) => void {
  const parameters = node.getParameters();
  for (const parameter of parameters) declareNames(unit, inner, parameter.getNameNode(), true);
  const binds: { bind: Bind; rest: boolean; otherwise: ((frame: Frame) => Value) | undefined }[] = [];
  for (const parameter of parameters) {
    const initializer = parameter.getInitializer();
    binds.push({
      bind: translateBinding(unit, inner, parameter.getNameNode()),
      rest: parameter.isRestParameter(),
      otherwise: initializer === undefined ? undefined : translateExpression(unit, inner, initializer),
    });
  }
  return (frame, args) => {
    binds.forEach(({ bind, rest, otherwise }, index) => {
      if (rest) bind(frame, { kind: 'list', items: args.slice(index) });
      else if (args[index] === undefined && otherwise !== undefined) bind(frame, otherwise(frame));
      else bind(frame, args[index]);
    });
  };
}

function translateBody(unit: Unit, inner: Scope, node: FunctionNode): (frame: Frame) => Value {
  const body = node.getBody();
  if (Node.isBlock(body)) {
    const block = translateBlock(unit, inner, body.getStatements());
    return (frame) => {
      const completion = block(frame);
      return typeof completion === 'object' ? completion.value : undefined;
    };
  }
  if (Node.isExpression(body)) return translateExpression(unit, inner, body);
  reportNotEvaluated(unit, 'a function without a body is', node);
  return () => undefined;
}
