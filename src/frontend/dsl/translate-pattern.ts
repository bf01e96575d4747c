import type { ArrayBindingPattern, BindingElement, BindingName, ObjectBindingPattern } from 'ts-morph';
import { LIMITS } from './machine.js';
import { readProperty } from './properties.js';
import { declare, type Frame, frameAt, resolve, type Scope } from './scope.js';
import { translateExpression, translatePropertyKey } from './translate-expression.js';
import { Node } from './ts-morph.js';
import { locate, report, type Unit } from './unit.js';
import { describe, isObject, type Value } from './values.js';

/** Gives the names of a pattern their values. */
export type Bind = (frame: Frame, value: Value) => void;

/** Declares every name of a binding pattern in the scope; a name declared twice is reported. */
export function declareNames(unit: Unit, scope: Scope, name: BindingName, mutable: boolean): void {
  if (Node.isIdentifier(name)) {
    if (!declare(scope, name.getText(), mutable)) {
      report(unit, 'SW1002', `'${name.getText()}' is declared twice in one block`, name);
    } else if (scope.bindings.size === LIMITS.namesPerBlock + 1) {
      report(unit, 'SW1006', `a block declares more than ${LIMITS.namesPerBlock} names`, name);
    }
    return;
  }
  for (const element of name.getElements()) {
    if (Node.isBindingElement(element)) declareNames(unit, scope, element.getNameNode(), mutable);
  }
}

/** `{ a, b: [c = 1, ...d] }` on the left of a declaration or as a parameter. The names must be declared already. */
export function translateBinding(unit: Unit, scope: Scope, name: BindingName): Bind {
  if (Node.isArrayBindingPattern(name)) return translateListBinding(unit, scope, name);
  if (Node.isObjectBindingPattern(name)) return translateRecordBinding(unit, scope, name);
  const resolved = resolve(scope, name.getText());
  if (resolved === undefined) throw new Error(`'${name.getText()}' was not declared before its binding`);
  const { framesUp, binding } = resolved;
  return (frame, value) => {
    frameAt(frame, framesUp).slots[binding.slot] = value;
  };
}

function translateListBinding(unit: Unit, scope: Scope, pattern: ArrayBindingPattern): Bind {
  const site = locate(unit, pattern);
  const { machine } = unit;
  const binds: ((frame: Frame, items: readonly Value[]) => void)[] = [];
  pattern.getElements().forEach((element, index) => {
    if (!Node.isBindingElement(element)) return; // a hole: [, second]
    const bind = translateElement(unit, scope, element);
    if (element.getDotDotDotToken() === undefined) binds.push((frame, items) => bind(frame, items[index]));
    else binds.push((frame, items) => bind(frame, { kind: 'list', items: items.slice(index) }));
  });
  return (frame, value) => {
    if (!isObject(value) || value.kind !== 'list') {
      return machine.fail('SW1005', `a list is needed here, to take it apart, not ${describe(value)}`, site);
    }
    machine.charge(value.items.length, site);
    for (const bind of binds) bind(frame, value.items);
  };
}

function translateRecordBinding(unit: Unit, scope: Scope, pattern: ObjectBindingPattern): Bind {
  const site = locate(unit, pattern);
  const { machine } = unit;
  const binds: ((frame: Frame, source: Value, taken: Set<string>) => void)[] = [];
  for (const element of pattern.getElements()) {
    const bind = translateElement(unit, scope, element);
    if (element.getDotDotDotToken() !== undefined) {
      binds.push((frame, source, taken) => {
        const fields = isObject(source) && source.kind === 'record' ? [...source.fields] : [];
        machine.charge(fields.length, site);
        bind(frame, { kind: 'record', fields: new Map(fields.filter(([key]) => !taken.has(key))) });
      });
      continue;
    }
    const keyNode = element.getPropertyNameNode();
    const plain = element.getName();
    const key = keyNode === undefined ? () => plain : translatePropertyKey(unit, scope, keyNode);
    binds.push((frame, source, taken) => {
      const name = key(frame);
      taken.add(name);
      bind(frame, readProperty(machine, source, name, site));
    });
  }
  return (frame, value) => {
    if (!isObject(value)) {
      machine.fail('SW1005', `an object is needed here, to take it apart, not ${describe(value)}`, site);
    }
    const taken = new Set<string>();
    for (const bind of binds) bind(frame, value, taken);
  };
}

/** One element of a pattern, with its default. */
function translateElement(unit: Unit, scope: Scope, element: BindingElement): Bind {
  const bind = translateBinding(unit, scope, element.getNameNode());
  const initializer = element.getInitializer();
  if (initializer === undefined) return bind;
  const otherwise = translateExpression(unit, scope, initializer);
  return (frame, value) => bind(frame, value === undefined ? otherwise(frame) : value);
}
