import type {
  DoStatement,
  Expression,
  ForOfStatement,
  ForStatement,
  IfStatement,
  Statement,
  SwitchStatement,
  ThrowStatement,
  VariableDeclarationList,
  WhileStatement,
} from 'ts-morph';
import { type Frame, initSlot, innerScope, newFrame, type Scope } from './scope.js';
import { translateExpression } from './translate-expression.js';
import { translateFunction } from './translate-function.js';
import { declareNames, translateBinding } from './translate-pattern.js';
import { Node, VariableDeclarationKind } from './ts-morph.js';
import { type Completion, locate, reportNotEvaluated, type Stmt, stepsOf, type Unit } from './unit.js';
import { describe, isObject, isTruthy, type Value } from './values.js';

const NOTHING: Stmt = () => undefined;

/** Statements that only concern types: nothing to evaluate. */
function isTypeOnly(node: Statement): boolean {
  return Node.isInterfaceDeclaration(node) || Node.isTypeAliasDeclaration(node) || Node.isEmptyStatement(node);
}

/** Statements of a block, in a scope of their own when they declare something. */
export function translateBlock(unit: Unit, scope: Scope, statements: readonly Statement[]): Stmt {
  const inner = innerScope(scope);
  declareStatements(unit, inner, statements);
  if (inner.bindings.size === 0) return translateSequence(unit, scope, statements);
  const body = translateSequence(unit, inner, statements);
  return (frame) => body(newFrame(inner, frame));
}

/** Declares what the statements of one block declare, so that functions can use what is declared after them. */
export function declareStatements(unit: Unit, scope: Scope, statements: readonly Statement[]): void {
  for (const statement of statements) {
    if (Node.isVariableStatement(statement)) {
      for (const declaration of statement.getDeclarations()) {
        const mutable = statement.getDeclarationKind() === VariableDeclarationKind.Let;
        declareNames(unit, scope, declaration.getNameNode(), mutable);
      }
    } else if (Node.isFunctionDeclaration(statement) && !statement.isOverload()) {
      const name = statement.getNameNode();
      if (name !== undefined) declareNames(unit, scope, name, false);
    }
  }
}

/** Runs the statements in the scope given, functions first (they are hoisted). */
export function translateSequence(unit: Unit, scope: Scope, statements: readonly Statement[]): Stmt {
  const hoisted: ((frame: Frame) => void)[] = [];
  const body: Stmt[] = [];
  for (const statement of statements) {
    if (Node.isFunctionDeclaration(statement)) {
      const name = statement.getName();
      if (statement.isOverload()) continue;
      if (name === undefined) reportNotEvaluated(unit, 'a function without a name is', statement);
      else {
        const make = translateFunction(unit, scope, statement);
        hoisted.push((frame) => initSlot(frame, scope, name, make(frame)));
      }
    } else body.push(translateStatement(unit, scope, statement));
  }
  return (frame) => {
    for (const make of hoisted) make(frame);
    for (const statement of body) {
      const completion = statement(frame);
      if (completion !== undefined) return completion;
    }
    return undefined;
  };
}

function translateStatement(unit: Unit, scope: Scope, node: Statement): Stmt {
  if (isTypeOnly(node)) return NOTHING;
  if (Node.isBlock(node)) return translateBlock(unit, scope, node.getStatements());
  if (Node.isVariableStatement(node)) {
    if (node.hasDeclareKeyword()) reportNotEvaluated(unit, "'declare' is", node);
    return translateDeclarations(unit, scope, node.getDeclarationList());
  }
  const { machine } = unit;
  const site = locate(unit, node);
  const steps = stepsOf(node);
  if (Node.isExpressionStatement(node)) {
    const value = translateExpression(unit, scope, node.getExpression());
    return (frame) => {
      machine.charge(steps, site);
      value(frame);
      return undefined;
    };
  }
  if (Node.isReturnStatement(node)) {
    const expression = node.getExpression();
    const value = expression === undefined ? () => undefined : translateExpression(unit, scope, expression);
    return (frame) => {
      machine.charge(steps, site);
      return { value: value(frame) };
    };
  }
  if (Node.isIfStatement(node)) return translateIf(unit, scope, node);
  if (Node.isForStatement(node)) return translateFor(unit, scope, node);
  if (Node.isForOfStatement(node)) return translateForOf(unit, scope, node);
  if (Node.isWhileStatement(node) || Node.isDoStatement(node)) return translateWhile(unit, scope, node);
  if (Node.isSwitchStatement(node)) return translateSwitch(unit, scope, node);
  if (Node.isThrowStatement(node)) return translateThrow(unit, scope, node);
  if ((Node.isBreakStatement(node) || Node.isContinueStatement(node)) && node.getLabel() === undefined) {
    return Node.isBreakStatement(node) ? () => 'break' : () => 'continue';
  }
  refuse(unit, node);
  return NOTHING;
}

function refuse(unit: Unit, node: Statement): void {
  if (Node.isForInStatement(node)) {
    reportNotEvaluated(unit, "'for ... in' is", node, 'use for (const key of Object.keys(object))');
  } else if (Node.isTryStatement(node)) reportNotEvaluated(unit, "'try' is", node);
  else if (Node.isClassDeclaration(node)) reportNotEvaluated(unit, 'classes are', node);
  else if (Node.isEnumDeclaration(node)) reportNotEvaluated(unit, 'enums are', node, 'use a const object');
  else if (Node.isModuleDeclaration(node)) reportNotEvaluated(unit, 'namespaces are', node);
  else if (Node.isLabeledStatement(node) || Node.isBreakStatement(node) || Node.isContinueStatement(node)) {
    reportNotEvaluated(unit, 'labels are', node, 'put the inner loop into a function and return from it');
  } else if (Node.isImportDeclaration(node) || Node.isExportDeclaration(node) || Node.isExportAssignment(node)) {
    reportNotEvaluated(unit, 'imports and exports inside a block are', node);
  } else reportNotEvaluated(unit, `${node.getKindName()} is`, node);
}

function translateDeclarations(unit: Unit, scope: Scope, list: VariableDeclarationList): Stmt {
  const kind = list.getDeclarationKind();
  if (kind !== VariableDeclarationKind.Const && kind !== VariableDeclarationKind.Let) {
    reportNotEvaluated(unit, "'var' and 'using' are", list, 'use const or let');
    return NOTHING;
  }
  const { machine } = unit;
  const steps = list.getDeclarations().map((declaration) => {
    const initializer = declaration.getInitializer();
    const bind = translateBinding(unit, scope, declaration.getNameNode());
    const value = initializer === undefined ? () => undefined : translateExpression(unit, scope, initializer);
    const site = locate(unit, declaration);
    const steps = stepsOf(declaration);
    return (frame: Frame): void => {
      machine.charge(steps, site);
      bind(frame, value(frame));
    };
  });
  return (frame) => {
    for (const step of steps) step(frame);
    return undefined;
  };
}

function translateIf(unit: Unit, scope: Scope, node: IfStatement): Stmt {
  const condition = translateExpression(unit, scope, node.getExpression());
  const then = translateStatement(unit, scope, node.getThenStatement());
  const elseNode = node.getElseStatement();
  const otherwise = elseNode === undefined ? NOTHING : translateStatement(unit, scope, elseNode);
  const { machine } = unit;
  const site = locate(unit, node);
  const steps = stepsOf(node.getExpression());
  return (frame) => {
    machine.charge(steps, site);
    return isTruthy(condition(frame)) ? then(frame) : otherwise(frame);
  };
}

function translateWhile(unit: Unit, scope: Scope, node: WhileStatement | DoStatement): Stmt {
  const condition = translateExpression(unit, scope, node.getExpression());
  const body = translateStatement(unit, scope, node.getStatement());
  const site = locate(unit, node);
  const { machine } = unit;
  const steps = stepsOf(node.getExpression());
  const bodyFirst = Node.isDoStatement(node);
  return (frame) => {
    for (let first = bodyFirst; first || isTruthy(condition(frame)); first = false) {
      machine.charge(steps, site);
      const completion = body(frame);
      if (completion === 'break') return undefined;
      if (typeof completion === 'object') return completion;
    }
    return undefined;
  };
}

function translateFor(unit: Unit, scope: Scope, node: ForStatement): Stmt {
  const inner = innerScope(scope);
  const initializer = node.getInitializer();
  let start: Stmt = NOTHING;
  if (Node.isVariableDeclarationList(initializer)) {
    const mutable = initializer.getDeclarationKind() === VariableDeclarationKind.Let;
    for (const declaration of initializer.getDeclarations())
      declareNames(unit, inner, declaration.getNameNode(), mutable);
    start = translateDeclarations(unit, inner, initializer);
  } else if (initializer !== undefined) {
    const value = translateExpression(unit, inner, initializer);
    start = (frame) => void value(frame);
  }
  const conditionNode = node.getCondition();
  const stepNode = node.getIncrementor();
  const condition = conditionNode === undefined ? () => true : translateExpression(unit, inner, conditionNode);
  const step = stepNode === undefined ? () => undefined : translateExpression(unit, inner, stepNode);
  const body = translateStatement(unit, inner, node.getStatement());
  const site = locate(unit, node);
  const { machine } = unit;
  const steps = stepsOf(conditionNode) + stepsOf(stepNode);
  return (outer) => {
    let frame = newFrame(inner, outer);
    start(frame);
    while (isTruthy(condition(frame))) {
      machine.charge(steps, site);
      const completion = body(frame);
      if (completion === 'break') break;
      if (typeof completion === 'object') return completion;
      // Each turn has its own variables: a closure made in one turn keeps its value.
      frame = { slots: [...frame.slots], parent: outer };
      step(frame);
    }
    return undefined;
  };
}

function translateForOf(unit: Unit, scope: Scope, node: ForOfStatement): Stmt {
  const items = translateExpression(unit, scope, node.getExpression());
  const inner = innerScope(scope);
  const initializer = node.getInitializer();
  const declaration = Node.isVariableDeclarationList(initializer) ? initializer.getDeclarations()[0] : undefined;
  if (declaration === undefined || node.isAwaited()) {
    reportNotEvaluated(unit, 'this form of for-of is', node, 'use for (const item of list)');
    return NOTHING;
  }
  declareNames(unit, inner, declaration.getNameNode(), true);
  const bind = translateBinding(unit, inner, declaration.getNameNode());
  const body = translateStatement(unit, inner, node.getStatement());
  const site = locate(unit, node);
  const { machine } = unit;
  const steps = stepsOf(initializer);
  return (outer) => {
    const value = items(outer);
    const list: readonly Value[] | undefined =
      typeof value === 'string' ? [...value] : isObject(value) && value.kind === 'list' ? value.items : undefined;
    if (list === undefined) return machine.fail('SW1005', `for-of goes over a list, not ${describe(value)}`, site);
    for (let index = 0; index < list.length; index++) {
      machine.charge(steps, site);
      const frame = newFrame(inner, outer);
      bind(frame, list[index]);
      const completion = body(frame);
      if (completion === 'break') break;
      if (typeof completion === 'object') return completion;
    }
    return undefined;
  };
}

function translateSwitch(unit: Unit, scope: Scope, node: SwitchStatement): Stmt {
  const subject = translateExpression(unit, scope, node.getExpression());
  const inner = innerScope(scope);
  const clauses = node.getClauses();
  for (const clause of clauses) declareStatements(unit, inner, clause.getStatements());
  const cases = clauses.map((clause) => ({
    test: Node.isCaseClause(clause) ? translateExpression(unit, inner, clause.getExpression()) : undefined,
    body: translateSequence(unit, inner, clause.getStatements()),
  }));
  const { machine } = unit;
  const site = locate(unit, node);
  const steps = clauses.reduce(
    (sum, clause) => sum + stepsOf(Node.isCaseClause(clause) ? clause.getExpression() : undefined),
    stepsOf(node.getExpression()),
  );
  return (outer) => {
    machine.charge(steps, site);
    const value = subject(outer);
    const frame = newFrame(inner, outer);
    let at = cases.findIndex(({ test }) => test !== undefined && test(frame) === value);
    if (at < 0) at = cases.findIndex(({ test }) => test === undefined);
    for (; at >= 0 && at < cases.length; at++) {
      const completion: Completion = cases[at]?.body(frame);
      if (completion === 'break') return undefined;
      if (completion !== undefined) return completion;
    }
    return undefined;
  };
}

/** `throw new Error('...')` and `throw '...'`: the model's own checks, reported at their place. */
function translateThrow(unit: Unit, scope: Scope, node: ThrowStatement): Stmt {
  let thrown: Expression = node.getExpression();
  const made = Node.isNewExpression(thrown) || Node.isCallExpression(thrown) ? thrown : undefined;
  if (made !== undefined && /^(Range|Type)?Error$/.test(made.getExpression().getText())) {
    const message = made.getArguments()[0];
    if (!Node.isExpression(message)) {
      reportNotEvaluated(unit, 'throwing an error without a message is', node, "throw new Error('what is wrong')");
      return NOTHING;
    }
    thrown = message;
  }
  const value = translateExpression(unit, scope, thrown);
  const site = locate(unit, node);
  const { machine } = unit;
  return (frame) => {
    const message = value(frame);
    const text = typeof message === 'string' ? message : describe(message);
    return machine.fail('SW1012', `the model refuses: ${text.slice(0, 500)}`, site);
  };
}
