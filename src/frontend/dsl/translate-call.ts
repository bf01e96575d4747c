import type { CallExpression, Expression } from 'ts-morph';
import { callMethod, readElement } from './properties.js';
import type { Scope } from './scope.js';
import { isInOptionalChain, propertyNameOf, translateExpression, translateItems } from './translate-expression.js';
import { Node } from './ts-morph.js';
import { type Expr, locate, reportNotEvaluated, type Unit } from './unit.js';
import { isObject } from './values.js';

/** Calls of functions and of methods. The place of the call is what diagnostics and ops carry. */
export function translateCall(unit: Unit, scope: Scope, node: CallExpression): Expr {
  let callee: Expression = node.getExpression();
  while (Node.isParenthesizedExpression(callee) || Node.isNonNullExpression(callee)) callee = callee.getExpression();
  if (Node.isImportExpression(callee) || Node.isSuperExpression(callee)) {
    reportNotEvaluated(unit, `${callee.getText()}(...) is`, node, 'import at the top of the file');
    return () => undefined;
  }
  const args = translateItems(unit, scope, node.getArguments());
  const { machine } = unit;
  const optional = node.hasQuestionDotToken();
  if (Node.isPropertyAccessExpression(callee)) {
    const object = translateExpression(unit, scope, callee.getExpression());
    const name = propertyNameOf(unit, callee);
    // A chain of calls starts at one place: the name says which call of it this is.
    const site = isObjectCall(callee.getExpression()) ? locate(unit, callee.getNameNode()) : locate(unit, node);
    const inChain = isInOptionalChain(callee);
    return (frame) => {
      const target = object(frame);
      if (inChain && (target === undefined || target === null)) return undefined;
      if (optional && isObject(target) && target.kind === 'record' && target.fields.get(name) === undefined)
        return undefined;
      return callMethod(machine, target, name, args(frame), site);
    };
  }
  const site = locate(unit, node);
  if (Node.isElementAccessExpression(callee)) {
    const object = translateExpression(unit, scope, callee.getExpression());
    const argument = callee.getArgumentExpression();
    const key = argument === undefined ? () => undefined : translateExpression(unit, scope, argument);
    return (frame) => {
      const target = object(frame);
      const name = key(frame);
      if (typeof name === 'string') return callMethod(machine, target, name, args(frame), site);
      return machine.call(readElement(machine, target, name, site), args(frame), site, () => `element ${String(name)}`);
    };
  }
  const target = translateExpression(unit, scope, callee);
  const shown = callee.getText().slice(0, 40);
  return (frame) => {
    const value = target(frame);
    if (optional && (value === undefined || value === null)) return undefined;
    return machine.call(value, args(frame), site, () => `'${shown}'`);
  };
}

function isObjectCall(node: Node): boolean {
  return Node.isCallExpression(node) || Node.isPropertyAccessExpression(node) || Node.isElementAccessExpression(node);
}
