import type {
  ArrayLiteralExpression,
  ConditionalExpression,
  ElementAccessExpression,
  Expression,
  Identifier,
  ObjectLiteralExpression,
  PropertyAccessExpression,
  PropertyName,
  TemplateExpression,
} from 'ts-morph';
import { LIMITS } from './machine.js';
import { toText, typeName } from './operators.js';
import { readElement, readProperty } from './properties.js';
import { type Frame, readSlot, resolve, type Scope } from './scope.js';
import { translateAssignment, translateBinary, translatePostfix, translatePrefix } from './translate-assignment.js';
import { translateCall } from './translate-call.js';
import { translateFunction } from './translate-function.js';
import { Node } from './ts-morph.js';
import { type Expr, locate, report, reportNotEvaluated, type Unit } from './unit.js';
import { describe, isObject, isTruthy, type Value } from './values.js';

/** Stands for an expression that was reported; never evaluated, as a file with diagnostics is not. */
const REPORTED: Expr = () => undefined;

/** Translates an expression; what a model file cannot use is reported and translation goes on. */
export function translateExpression(unit: Unit, scope: Scope, node: Expression): Expr {
  return (
    translateLiteral(unit, scope, node) ??
    translateAccess(unit, scope, node) ??
    translateOperation(unit, scope, node) ??
    refuse(unit, node)
  );
}

function translateLiteral(unit: Unit, scope: Scope, node: Expression): Expr | undefined {
  if (Node.isNumericLiteral(node) || Node.isStringLiteral(node) || Node.isNoSubstitutionTemplateLiteral(node)) {
    const value = node.getLiteralValue();
    if (typeof value === 'string' && value.length > LIMITS.stringCharacters) {
      report(unit, 'SW1006', `a string of more than ${LIMITS.stringCharacters} characters`, node);
    }
    return () => value;
  }
  if (Node.isTrueLiteral(node)) return () => true;
  if (Node.isFalseLiteral(node)) return () => false;
  if (Node.isNullLiteral(node)) return () => null;
  if (Node.isTemplateExpression(node)) return translateTemplate(unit, scope, node);
  if (Node.isArrayLiteralExpression(node)) return translateList(unit, scope, node);
  if (Node.isObjectLiteralExpression(node)) return translateRecord(unit, scope, node);
  if (Node.isArrowFunction(node) || Node.isFunctionExpression(node)) return translateFunction(unit, scope, node);
  return undefined;
}

function translateAccess(unit: Unit, scope: Scope, node: Expression): Expr | undefined {
  if (Node.isIdentifier(node)) return translateName(unit, scope, node);
  if (Node.isPropertyAccessExpression(node)) return translatePropertyAccess(unit, scope, node);
  if (Node.isElementAccessExpression(node)) return translateElementAccess(unit, scope, node);
  if (Node.isCallExpression(node)) return translateCall(unit, scope, node);
  // Types say nothing at run time: what they wrap is evaluated.
  if (
    Node.isParenthesizedExpression(node) ||
    Node.isAsExpression(node) ||
    Node.isSatisfiesExpression(node) ||
    Node.isNonNullExpression(node) ||
    Node.isTypeAssertion(node)
  ) {
    return translateExpression(unit, scope, node.getExpression());
  }
  return undefined;
}

function translateOperation(unit: Unit, scope: Scope, node: Expression): Expr | undefined {
  if (Node.isBinaryExpression(node)) {
    return translateAssignment(unit, scope, node) ?? translateBinary(unit, scope, node);
  }
  if (Node.isConditionalExpression(node)) return translateConditional(unit, scope, node);
  if (Node.isPrefixUnaryExpression(node)) return translatePrefix(unit, scope, node);
  if (Node.isPostfixUnaryExpression(node)) return translatePostfix(unit, scope, node);
  if (Node.isTypeOfExpression(node)) {
    const operand = translateExpression(unit, scope, node.getExpression());
    return (frame) => typeName(operand(frame));
  }
  return undefined;
}

function refuse(unit: Unit, node: Expression): Expr {
  if (Node.isNewExpression(node)) {
    const hint = "use lists and objects: Array.from({ length: n }, (_, i) => ...) for 'new Array(n)'";
    reportNotEvaluated(unit, `'new ${node.getExpression().getText().slice(0, 40)}' is`, node, hint);
  } else if (Node.isAwaitExpression(node)) reportNotEvaluated(unit, "'await' is", node);
  else if (Node.isThisExpression(node)) reportNotEvaluated(unit, "'this' is", node);
  else if (Node.isRegularExpressionLiteral(node)) reportNotEvaluated(unit, 'regular expressions are', node);
  else if (Node.isBigIntLiteral(node)) reportNotEvaluated(unit, 'bigint literals are', node);
  else if (Node.isClassExpression(node)) reportNotEvaluated(unit, 'classes are', node);
  else reportNotEvaluated(unit, `${node.getKindName()} is`, node);
  return REPORTED;
}

function translateName(unit: Unit, scope: Scope, node: Identifier): Expr {
  const name = node.getText();
  const resolved = resolve(scope, name);
  if (resolved === undefined) {
    const hint =
      "a model file sees its own declarations, what it imports from 'spillway/model' or './*.ts', and Math, Number, " +
      'String, Boolean, Array, Object; nothing of the host';
    report(unit, 'SW1004', `'${name}' is not defined`, node, hint);
    return REPORTED;
  }
  const site = locate(unit, node);
  const { machine } = unit;
  return (frame) => readSlot(frame, resolved, name, machine, site);
}

function translateTemplate(unit: Unit, scope: Scope, node: TemplateExpression): Expr {
  const site = locate(unit, node);
  const { machine } = unit;
  const head = node.getHead().getLiteralText();
  const spans = node.getTemplateSpans().map((span) => ({
    value: translateExpression(unit, scope, span.getExpression()),
    text: span.getLiteral().getLiteralText(),
  }));
  return (frame) => {
    let text = head;
    for (const span of spans) text += toText(span.value(frame), machine, site) + span.text;
    return machine.chargeString(text, site);
  };
}

/** Elements of a list literal or arguments of a call, spreads included. */
export function translateItems(unit: Unit, scope: Scope, nodes: readonly Node[]): (frame: Frame) => Value[] {
  const { machine } = unit;
  const parts = nodes.map((node) => {
    const site = locate(unit, node);
    if (Node.isSpreadElement(node)) {
      return { spread: true, site, value: translateExpression(unit, scope, node.getExpression()) };
    }
    if (Node.isExpression(node) && !Node.isOmittedExpression(node)) {
      return { spread: false, site, value: translateExpression(unit, scope, node) };
    }
    reportNotEvaluated(unit, 'a hole in a list is', node);
    return { spread: false, site, value: REPORTED };
  });
  return (frame) => {
    const items: Value[] = [];
    for (const part of parts) {
      const value = part.value(frame);
      if (!part.spread) {
        items.push(value);
        continue;
      }
      if (!isObject(value) || value.kind !== 'list') {
        return machine.fail('SW1005', `... spreads a list here, not ${describe(value)}`, part.site);
      }
      machine.chargeList(items.length + value.items.length, part.site);
      for (const item of value.items) items.push(item);
    }
    return items;
  };
}

function translateList(unit: Unit, scope: Scope, node: ArrayLiteralExpression): Expr {
  const items = translateItems(unit, scope, node.getElements());
  const site = locate(unit, node);
  const { machine } = unit;
  return (frame) => {
    const list = items(frame);
    machine.charge(list.length, site);
    return { kind: 'list', items: list };
  };
}

type FieldWriter = (frame: Frame, fields: Map<string, Value>) => void;

function translateRecord(unit: Unit, scope: Scope, node: ObjectLiteralExpression): Expr {
  const writers = node.getProperties().map((property): FieldWriter => translateField(unit, scope, property));
  const site = locate(unit, node);
  const { machine } = unit;
  return (frame) => {
    machine.charge(writers.length, site);
    const fields = new Map<string, Value>();
    for (const write of writers) write(frame, fields);
    return { kind: 'record', fields };
  };
}

function translateField(unit: Unit, scope: Scope, property: Node): FieldWriter {
  if (Node.isPropertyAssignment(property)) {
    const key = translatePropertyKey(unit, scope, property.getNameNode());
    const initializer = property.getInitializer();
    const value = initializer === undefined ? REPORTED : translateExpression(unit, scope, initializer);
    return (frame, fields) => fields.set(key(frame), value(frame));
  }
  if (Node.isShorthandPropertyAssignment(property)) {
    const name = property.getName();
    const value = translateName(unit, scope, property.getNameNode());
    return (frame, fields) => fields.set(name, value(frame));
  }
  if (Node.isMethodDeclaration(property)) {
    const key = translatePropertyKey(unit, scope, property.getNameNode());
    const value = translateFunction(unit, scope, property);
    return (frame, fields) => fields.set(key(frame), value(frame));
  }
  if (Node.isSpreadAssignment(property)) return translateRecordSpread(unit, scope, property.getExpression());
  reportNotEvaluated(unit, 'getters and setters are', property);
  return () => undefined;
}

function translateRecordSpread(unit: Unit, scope: Scope, node: Expression): FieldWriter {
  const value = translateExpression(unit, scope, node);
  const site = locate(unit, node);
  const { machine } = unit;
  return (frame, fields) => {
    const source = value(frame);
    if (source === undefined || source === null) return;
    if (!isObject(source) || source.kind !== 'record') {
      return machine.fail('SW1005', `... spreads an object here, not ${describe(source)}`, site);
    }
    machine.charge(source.fields.size, site);
    for (const [key, field] of source.fields) fields.set(key, field);
  };
}

/** `a`, `'a'`, `1` or `[computed]` as the key of a field. */
export function translatePropertyKey(unit: Unit, scope: Scope, node: PropertyName): (frame: Frame) => string {
  if (Node.isComputedPropertyName(node)) {
    const key = translateExpression(unit, scope, node.getExpression());
    const site = locate(unit, node);
    const { machine } = unit;
    return (frame) => {
      const value = key(frame);
      if (typeof value === 'string' || typeof value === 'number') return String(value);
      return machine.fail('SW1005', `${describe(value)} is no key`, site);
    };
  }
  if (Node.isStringLiteral(node) || Node.isNumericLiteral(node) || Node.isNoSubstitutionTemplateLiteral(node)) {
    const text = String(node.getLiteralValue());
    return () => text;
  }
  if (!Node.isIdentifier(node)) reportNotEvaluated(unit, `the key ${node.getText().slice(0, 40)} is`, node);
  const text = node.getText();
  return () => text;
}

/** The name after the dot; private names do not exist in model files. */
export function propertyNameOf(unit: Unit, node: PropertyAccessExpression): string {
  if (Node.isPrivateIdentifier(node.getNameNode())) reportNotEvaluated(unit, 'private names are', node);
  return node.getName();
}

/** True for every link of `a?.b.c`: an undefined on its left makes the whole chain undefined. */
export function isInOptionalChain(node: PropertyAccessExpression | ElementAccessExpression): boolean {
  if (node.hasQuestionDotToken()) return true;
  const inner = node.getExpression();
  if (Node.isPropertyAccessExpression(inner) || Node.isElementAccessExpression(inner)) return isInOptionalChain(inner);
  if (!Node.isCallExpression(inner)) return false;
  if (inner.hasQuestionDotToken()) return true;
  const callee = inner.getExpression();
  return (
    (Node.isPropertyAccessExpression(callee) || Node.isElementAccessExpression(callee)) && isInOptionalChain(callee)
  );
}

function translatePropertyAccess(unit: Unit, scope: Scope, node: PropertyAccessExpression): Expr {
  const object = translateExpression(unit, scope, node.getExpression());
  const name = propertyNameOf(unit, node);
  const site = locate(unit, node.getNameNode());
  const { machine } = unit;
  const optional = isInOptionalChain(node);
  return (frame) => {
    const value = object(frame);
    if (optional && (value === undefined || value === null)) return undefined;
    return readProperty(machine, value, name, site);
  };
}

function translateElementAccess(unit: Unit, scope: Scope, node: ElementAccessExpression): Expr {
  const argument = node.getArgumentExpression();
  if (argument === undefined) return refuse(unit, node);
  const object = translateExpression(unit, scope, node.getExpression());
  const key = translateExpression(unit, scope, argument);
  const site = locate(unit, node);
  const { machine } = unit;
  const optional = isInOptionalChain(node);
  return (frame) => {
    const value = object(frame);
    if (optional && (value === undefined || value === null)) return undefined;
    return readElement(machine, value, key(frame), site);
  };
}

function translateConditional(unit: Unit, scope: Scope, node: ConditionalExpression): Expr {
  const condition = translateExpression(unit, scope, node.getCondition());
  const whenTrue = translateExpression(unit, scope, node.getWhenTrue());
  const whenFalse = translateExpression(unit, scope, node.getWhenFalse());
  return (frame) => (isTruthy(condition(frame)) ? whenTrue(frame) : whenFalse(frame));
}
