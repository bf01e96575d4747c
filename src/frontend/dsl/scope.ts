import type { SourceLoc } from '../../base/diagnostic.js';
import type { Machine } from './machine.js';
import type { Value } from './values.js';

/**
 * Names are resolved once, when the file is translated: a scope becomes one frame at run time, and a name becomes
 * (frames up, slot). That keeps evaluation fast and finds unknown names before anything is evaluated.
 */
export interface Scope {
  readonly parent: Scope | undefined;
  readonly bindings: Map<string, Binding>;
}

export interface Binding {
  readonly slot: number;
  readonly mutable: boolean;
}

/** Stands in a slot from the start of its block to its declaration. */
export const UNSET: unique symbol = Symbol('unset');

export interface Frame {
  readonly slots: (Value | typeof UNSET)[];
  readonly parent: Frame | undefined;
}

export interface Resolved {
  readonly framesUp: number;
  readonly binding: Binding;
}

export function innerScope(parent: Scope | undefined): Scope {
  return { parent, bindings: new Map() };
}

/** @returns false when the scope has the name already */
export function declare(scope: Scope, name: string, mutable: boolean): boolean {
  if (scope.bindings.has(name)) return false;
  scope.bindings.set(name, { slot: scope.bindings.size, mutable });
  return true;
}

export function resolve(scope: Scope, name: string): Resolved | undefined {
  let framesUp = 0;
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const binding = at.bindings.get(name);
    if (binding !== undefined) return { framesUp, binding };
    framesUp += 1;
  }
  return undefined;
}

export function newFrame(scope: Scope, parent: Frame | undefined): Frame {
  return { slots: new Array<Value | typeof UNSET>(scope.bindings.size).fill(UNSET), parent };
}

export function frameAt(frame: Frame, framesUp: number): Frame {
  let at = frame;
  for (let left = framesUp; left > 0; left--) {
    if (at.parent === undefined) throw new Error('a name was resolved to a frame that does not exist');
    at = at.parent;
  }
  return at;
}

export function readSlot(frame: Frame, resolved: Resolved, name: string, machine: Machine, site: SourceLoc): Value {
  const value = frameAt(frame, resolved.framesUp).slots[resolved.binding.slot];
  if (value === UNSET) return machine.fail('SW1005', `'${name}' is used before its declaration is reached`, site);
  return value;
}

export function initSlot(frame: Frame, scope: Scope, name: string, value: Value): void {
  const binding = scope.bindings.get(name);
  if (binding === undefined) throw new Error(`no slot for '${name}'`);
  frame.slots[binding.slot] = value;
}
