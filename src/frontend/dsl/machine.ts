import { type Diagnostic, formatLoc, type SourceLoc, SpillwayError } from '../../base/diagnostic.js';
import type { FunctionValue, Value } from './values.js';

/**
 * Budgets of one model file. They bound time and memory of an untrusted file: a million steps take well under a second.
 * What one step can cost is bounded too: long statements count as several steps (`stepsOf`), lists and strings are
 * charged by their length, strings and scopes are small.
 */
export const LIMITS = {
  /** Statements, calls, loop turns, and elements of lists that are made or searched. */
  steps: 2_000_000,
  /** Calls within calls; the host's stack holds several times as many. */
  callDepth: 200,
  listElements: 200_000,
  stringCharacters: 4096,
  /** Names declared in one block. */
  namesPerBlock: 500,
  /** One source file. */
  sourceBytes: 1 << 18,
  /** Source files of one model, with those it imports. */
  sourceFiles: 32,
} as const;

/**
 * Codes of model-file diagnostics. SW1001 the file, SW1002 TypeScript syntax, SW1003 not evaluated, SW1004 unknown
 * name, SW1005 an operation on the wrong value, SW1006 a budget, SW1007 imports, SW1008 the model's definition, SW1009
 * parameters, SW1010 arguments of a builder call, SW1011 shapes, SW1012 thrown by the model itself.
 */
export type DslCode = `SW10${'01' | '02' | '03' | '04' | '05' | '06' | '07' | '08' | '09' | '10' | '11' | '12'}`;

interface ActiveCall {
  readonly name: string;
  readonly site: SourceLoc;
}

/** The state of one evaluation: what is left of its budgets, and the calls under way. */
export class Machine {
  private stepsLeft: number = LIMITS.steps;
  private readonly calls: ActiveCall[] = [];
  private entrySite: SourceLoc | undefined;

  /** @throws SpillwayError always: SW1xxx at the site, with the calls that led there as part of the hint */
  fail(code: DslCode, message: string, site: SourceLoc, hint?: string): never {
    const trail = this.calls
      .filter((call) => call.site !== this.entrySite)
      .slice(-3)
      .reverse();
    const calls = trail.map((call) => `in ${call.name}, called from ${formatLoc(call.site)}`).join('; ');
    const parts = [hint, calls].filter((part) => part !== undefined && part !== '');
    const diagnostic: Diagnostic = { code, blame: 'model', message, loc: site };
    throw new SpillwayError([parts.length === 0 ? diagnostic : { ...diagnostic, hint: parts.join('; ') }]);
  }

  charge(steps: number, site: SourceLoc): void {
    this.stepsLeft -= steps;
    if (this.stepsLeft >= 0) return;
    this.stepsLeft = 0;
    this.fail(
      'SW1006',
      `the model is not finished after ${LIMITS.steps} steps of evaluation, and this is where it stood`,
      site,
      'a model file only describes layers; look for a loop or a recursion that does not end',
    );
  }

  /** Charges for a list about to hold so many elements. */
  chargeList(elements: number, site: SourceLoc): void {
    this.limitList(elements, site);
    this.charge(elements, site);
  }

  /** The limit alone, for a list that grows in place and is charged for its growth. */
  limitList(elements: number, site: SourceLoc): void {
    if (elements <= LIMITS.listElements) return;
    this.fail('SW1006', `a list of ${elements} elements is over the limit of ${LIMITS.listElements}`, site);
  }

  chargeString(text: string, site: SourceLoc): string {
    this.chargeCharacters(text.length, site);
    return text;
  }

  chargeCharacters(characters: number, site: SourceLoc): void {
    if (characters > LIMITS.stringCharacters) {
      this.fail('SW1006', `a string of ${characters} characters is over the limit of ${LIMITS.stringCharacters}`, site);
    }
    this.charge(1 + (characters >> 4), site);
  }

  /**
   * Runs the body of a function of the model file, as a call within the calls under way.
   *
   * @param steps what the call is charged
   */
  within<T>(name: string, site: SourceLoc, steps: number, body: () => T): T {
    this.charge(steps, site);
    if (this.calls.length >= LIMITS.callDepth) {
      this.fail('SW1006', `${name} is called more than ${LIMITS.callDepth} calls deep`, site, 'does a recursion end?');
    }
    this.calls.push({ name, site });
    // Left on the stack when the body throws: the diagnostic is final, and `fail` has read it by then.
    const result = body();
    this.calls.pop();
    return result;
  }

  /** The call that we make ourselves, of `build`: it stands in no trail of calls. */
  enter(callee: Value, args: readonly Value[], site: SourceLoc, describeCallee: () => string): Value {
    this.entrySite = site;
    return this.call(callee, args, site, describeCallee);
  }

  call(callee: Value, args: readonly Value[], site: SourceLoc, describeCallee: () => string): Value {
    if (!isFunction(callee)) {
      this.fail('SW1005', `${describeCallee()} is not a function`, site);
    }
    this.charge(1, site);
    return callee.call(args, site);
  }
}

function isFunction(value: Value): value is FunctionValue {
  return typeof value === 'object' && value !== null && value.kind === 'function';
}
