import type { BinaryExpression, Expression, PostfixUnaryExpression, PrefixUnaryExpression } from 'ts-morph';
import { type BinaryFunction, binaryFunction } from './operators.js';
import { readElement, writeElement } from './properties.js';
import { type Frame, frameAt, readSlot, resolve, type Scope } from './scope.js';
import { translateExpression } from './translate-expression.js';
import { Node, SyntaxKind } from './ts-morph.js';
import { type Expr, locate, report, reportNotEvaluated, type Unit } from './unit.js';
import { describe, isTruthy, type Value } from './values.js';

/** A place that can be assigned to, once its object and key are evaluated. */
interface Place {
  readonly read: () => Value;
  readonly write: (value: Value) => void;
}
type PlaceOf = (frame: Frame) => Place;

const NO_PLACE: PlaceOf = () => ({ read: () => undefined, write: () => undefined });

export function translateBinary(unit: Unit, scope: Scope, node: BinaryExpression): Expr {
  const left = translateExpression(unit, scope, node.getLeft());
  const right = translateExpression(unit, scope, node.getRight());
  const token = node.getOperatorToken();
  switch (token.getText()) {
    case '&&':
      return (frame) => {
        const value = left(frame);
        return isTruthy(value) ? right(frame) : value;
      };
    case '||':
      return (frame) => {
        const value = left(frame);
        return isTruthy(value) ? value : right(frame);
      };
    case '??':
      return (frame) => left(frame) ?? right(frame);
    default: {
      const compute = binaryFunction(token.getText(), unit.machine, locate(unit, token));
      if (compute !== undefined) return (frame) => compute(left(frame), right(frame));
      reportNotEvaluated(unit, `the operator '${token.getText()}' is`, token);
      return () => undefined;
    }
  }
}

/** `=`, `+=`, `??=` ...; undefined when the expression is no assignment. */
export function translateAssignment(unit: Unit, scope: Scope, node: BinaryExpression): Expr | undefined {
  const kind = node.getOperatorToken().getKind();
  if (kind < SyntaxKind.FirstAssignment || kind > SyntaxKind.LastAssignment) return undefined;
  const operator = node.getOperatorToken().getText().slice(0, -1);
  const right = translateExpression(unit, scope, node.getRight());
  if (operator === '') {
    const assign = translateTarget(unit, scope, node.getLeft());
    return (frame) => {
      // The right side first, unlike JavaScript where object and key come before it: no builder call can tell.
      const value = right(frame);
      assign(frame, value);
      return value;
    };
  }
  const place = translatePlace(unit, scope, node.getLeft());
  if (operator === '&&' || operator === '||' || operator === '??') {
    const keeps = (value: Value) =>
      operator === '??' ? value !== undefined && value !== null : isTruthy(value) === (operator === '||');
    return (frame) => {
      const target = place(frame);
      const old = target.read();
      if (keeps(old)) return old;
      const value = right(frame);
      target.write(value);
      return value;
    };
  }
  const compute = binaryFunction(operator, unit.machine, locate(unit, node.getOperatorToken()));
  if (compute === undefined) {
    reportNotEvaluated(unit, `the operator '${operator}=' is`, node);
    return () => undefined;
  }
  return (frame) => {
    const target = place(frame);
    const value = compute(target.read(), right(frame));
    target.write(value);
    return value;
  };
}

/** The left of `=`: a place, or a list of places to swap and take apart. */
function translateTarget(unit: Unit, scope: Scope, node: Expression): (frame: Frame, value: Value) => void {
  if (Node.isArrayLiteralExpression(node)) {
    const targets = node.getElements().map((element) => translateTarget(unit, scope, element));
    const { machine } = unit;
    const site = locate(unit, node);
    return (frame, value) =>
      targets.forEach((assign, index) => {
        assign(frame, readElement(machine, value, index, site));
      });
  }
  const place = translatePlace(unit, scope, node);
  return (frame, value) => place(frame).write(value);
}

function translatePlace(unit: Unit, scope: Scope, node: Expression): PlaceOf {
  const { machine } = unit;
  if (Node.isParenthesizedExpression(node) || Node.isNonNullExpression(node)) {
    return translatePlace(unit, scope, node.getExpression());
  }
  if (Node.isIdentifier(node)) return translateVariable(unit, scope, node.getText(), node);
  if (Node.isPropertyAccessExpression(node) || Node.isElementAccessExpression(node)) {
    const object = translateExpression(unit, scope, node.getExpression());
    const argument = Node.isElementAccessExpression(node) ? node.getArgumentExpression() : undefined;
    const name = Node.isPropertyAccessExpression(node) ? node.getName() : undefined;
    const key = argument === undefined ? () => name : translateExpression(unit, scope, argument);
    const site = locate(unit, node);
    return (frame) => {
      const [target, index] = [object(frame), key(frame)];
      return {
        read: () => readElement(machine, target, index, site),
        write: (value) => writeElement(machine, target, index, value, site),
      };
    };
  }
  reportNotEvaluated(unit, 'assigning to this is', node, 'assign to a name, a field or an element');
  return NO_PLACE;
}

function translateVariable(unit: Unit, scope: Scope, name: string, node: Node): PlaceOf {
  const resolved = resolve(scope, name);
  if (resolved === undefined) {
    report(unit, 'SW1004', `'${name}' is not defined`, node, 'declare it with let');
    return NO_PLACE;
  }
  if (!resolved.binding.mutable) {
    report(unit, 'SW1003', `'${name}' cannot be assigned to`, node, 'declare it with let instead of const');
    return NO_PLACE;
  }
  const site = locate(unit, node);
  return (frame) => ({
    read: () => readSlot(frame, resolved, name, unit.machine, site),
    write: (value) => {
      readSlot(frame, resolved, name, unit.machine, site); // refuses a use before the declaration
      frameAt(frame, resolved.framesUp).slots[resolved.binding.slot] = value;
    },
  });
}

export function translatePrefix(unit: Unit, scope: Scope, node: PrefixUnaryExpression): Expr {
  const site = locate(unit, node);
  const { machine } = unit;
  const token = node.getOperatorToken();
  if (token === SyntaxKind.PlusPlusToken || token === SyntaxKind.MinusMinusToken) {
    return translateStep(unit, scope, node, (_old, value) => value);
  }
  const operand = translateExpression(unit, scope, node.getOperand());
  if (token === SyntaxKind.ExclamationToken) return (frame) => !isTruthy(operand(frame));
  const number = (frame: Frame): number => {
    const value = operand(frame);
    if (typeof value === 'number') return value;
    return machine.fail('SW1005', `a number is needed here, not ${describe(value)}`, site);
  };
  if (token === SyntaxKind.MinusToken) return (frame) => -number(frame);
  if (token === SyntaxKind.TildeToken) return (frame) => ~number(frame);
  return number;
}

export function translatePostfix(unit: Unit, scope: Scope, node: PostfixUnaryExpression): Expr {
  return translateStep(unit, scope, node, (old) => old);
}

/** `++` and `--`, on either side. */
function translateStep(
  unit: Unit,
  scope: Scope,
  node: PrefixUnaryExpression | PostfixUnaryExpression,
  result: (old: Value, value: Value) => Value,
): Expr {
  const place = translatePlace(unit, scope, node.getOperand());
  const up = node.getOperatorToken() === SyntaxKind.PlusPlusToken;
  const compute: BinaryFunction | undefined = binaryFunction('-', unit.machine, locate(unit, node));
  if (compute === undefined) throw new Error("the operator '-' is gone");
  return (frame) => {
    const target = place(frame);
    const old = target.read();
    const value = compute(old, up ? -1 : 1);
    target.write(value);
    return result(old, value);
  };
}
