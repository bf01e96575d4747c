import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { evaluated } from './dsl-fixture.js';

/** The host's own answer. Every snippet is plain JavaScript written in this file. */
function hosted(statements: string): string {
  return String(new Function(statements)());
}

/** Each snippet returns a number, a string, or a list of them. */
const SNIPPETS: Readonly<Record<string, string>> = {
  arithmetic: 'return [7 % 3, -7 % 3, 2 ** 10, 7 / 2, 1 - -1, +4, ~5, 5 & 6, 5 | 6, 5 ^ 6, 1 << 4, -9 >> 1, -9 >>> 28]',
  precedence: 'return 1 + 2 * 3 - (4 - 5) * 6 / 4 % 5 ** 2',
  comparisons: "return [1 < 2, 2 <= 2, 3 > 4, 4 >= 4, 'a' < 'b', 1 === 1, 1 !== 1, NaN === NaN, null == undefined]",
  logic: "return [0 || 'x', 0 ?? 'x', null ?? 'y', '' && 1, 'a' && 2, !0, !!'', !'']",
  shortCircuit: 'let n = 0; const f = () => { n++; return true; }; false && f(); true || f(); 1 ?? f(); return n',
  ternary: "const f = (n) => (n < 0 ? 'neg' : n === 0 ? 'zero' : 'pos'); return [f(-1), f(0), f(1)]",
  assignments:
    'let a = 1; a += 2; a *= 5; a -= 1; a /= 2; a **= 2; a %= 10; let b; b ??= 4; b ||= 5; b &&= 6; return [a, b]',
  increments: 'let i = 0; const a = i++; const b = ++i; const c = i--; const d = --i; return [a, b, c, d, i]',
  strings:
    "const s = 'hello'; return [s.length, s[1], s.at(-1), s.slice(1, 3), s.toUpperCase(), s.includes('ell'), s.indexOf('l')]",
  moreStrings:
    "return ['a-b'.split('-').join('+'), 'x'.repeat(3), '7'.padStart(3, '0'), ' a '.trim(), 'aXbX'.replaceAll('X', 'YY')]",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the snippet's own template
  templates: "const n = 3; return `stage${n}.block${n - 1}/${`in${'ner'}`} ${[1, 2]} ${undefined} ${true}`",
  concatenation: "return 'a' + 1 + 2 + (1 + 2) + true + null",
  forLoop: 'let s = 0; for (let i = 0, j = 10; i < j; i++) s += i; return s',
  forContinueBreak:
    'const out = []; for (let i = 0; ; i++) { if (i % 2) continue; if (i > 8) break; out.push(i); } return out',
  closuresPerTurn: 'const fs = []; for (let i = 0; i < 3; i++) fs.push(() => i); return fs.map((f) => f())',
  forOf: "let s = ''; for (const [i, c] of ['a', 'b'].entries()) s += i + c; for (const c of 'xy') s += c; return s",
  whileLoops:
    'let n = 27, k = 0; while (n !== 1) { n = n % 2 ? 3 * n + 1 : n / 2; k++; } do { k++; } while (k < 0); return k',
  nestedBreak:
    'let k = 0; for (const a of [1, 2, 3]) { for (const b of [1, 2, 3]) { if (b === 2) break; k += a * b; } } return k',
  returnFromLoop:
    'const f = (xs) => { for (const x of xs) { while (true) { if (x > 1) return x; break; } } return 0; }; return f([1, 5, 9])',
  switching:
    "const f = (k) => { switch (k) { case 1: case 2: return 'low'; case 'x': { break; } default: return 'other'; } return 'end'; }; return [f(1), f(2), f('x'), f(9)]",
  fallThrough:
    'let s = 0; switch (2) { case 1: s += 1; case 2: s += 2; case 3: s += 4; break; default: s += 8; } return s',
  defaultFirst: "const f = (k) => { switch (k) { default: return 'd'; case 1: return 'one'; } }; return [f(1), f(2)]",
  functions: 'function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); } return fib(12)',
  hoisting:
    'return even(10) + odd(7); function even(n) { return n === 0 ? 1 : odd(n - 1); } function odd(n) { return n === 0 ? 0 : even(n - 1); }',
  closures:
    'const counter = () => { let n = 0; return { next: () => ++n }; }; const c = counter(); c.next(); return [c.next(), counter().next()]',
  defaultsAndRest:
    'const f = (a, b = a * 2, ...rest) => [a, b, rest.length, ...rest]; return [...f(1), ...f(1, undefined, 3, 4)]',
  spreads: 'const f = (...xs) => xs.length; return [f(...[1, 2], 3, ...[]), ...[4, 5], Math.max(...[3, 9, 2])]',
  destructuring:
    'const { a, b: { c = 5, ...more }, ...others } = { a: 1, b: { d: 2 }, e: 3 }; return [a, c, more.d, others.e]',
  listDestructuring: 'const [a, , b = 7, ...rest] = [1, 2, undefined, 4, 5]; return [a, b, rest]',
  swap: 'let a = 1, b = 2; [a, b] = [b, a]; return [a, b]',
  parameterPatterns: 'const f = ({ x, y = 2 }, [z]) => x + y + z; return f({ x: 1 }, [3])',
  shadowing: 'const x = 1; { const x = 2; { const x = 3; } } const f = (x) => x; return [x, f(9)]',
  objects:
    "const k = 'key'; const o = { a: 1, [k]: 2, 'b c': 3, 4: 5, f() { return 6; }, ...{ g: 7 } }; o.h = 8; o['i'] = 9; return Object.entries(o).filter(([n]) => n !== 'f').map(([n, v]) => n + v)",
  objectHelpers:
    "return [...Object.keys({ b: 1, a: 2 }), ...Object.values({ b: 1 }), Object.fromEntries([['z', 5]]).z, 'a' in { a: 1 }]",
  optionalChains:
    'const o = { a: { b: [1] } }; const n = undefined; return [o?.a?.b?.[0], n?.a.b.c, o.f?.(), n?.[0], n?.f(1)]',
  lists:
    'const a = [3, 1, 2]; a.push(5); a[4] = 6; const p = a.pop(); a.unshift(0); a.shift(); return [a.length, p, ...a, a.at(-1)]',
  listSearch:
    'const a = [5, 7, 9]; return [a.includes(7), a.indexOf(9), a.find((x) => x > 5), a.findIndex((x) => x > 5), a.some((x) => x > 8), a.every((x) => x > 8)]',
  listMaps:
    'return [[1, 2].map((x, i) => x * i), [1, 2, 3].filter((x) => x & 1), [1, 2].flatMap((x) => [x, x]), [[1], [2, 3]].flat()].map((l) => l.join())',
  listReduce:
    'return [[1, 2, 3].reduce((a, b) => a + b), [1, 2].reduce((a, b, i) => a + b * i, 10), [].reduce((a) => a, 4)]',
  listCopies:
    'const a = [3, 1, 2]; return [a.slice(1), a.concat([9], 8), [...a].reverse(), [...a].sort((x, y) => x - y), a.slice(-2, -1), a].map((l) => l.join())',
  listEdits:
    'const a = [1, 2, 3, 4]; const cut = a.splice(1, 2, 9); return [cut.join(), a.join(), Array(3).fill(7).join()]',
  arrayFrom:
    "return [Array.from({ length: 3 }, (_, i) => i * i).join(), Array.from('ab').join(), Array.of(1, 2).length, Array.isArray([])]",
  math: 'return [Math.floor(-1.5), Math.ceil(1.2), Math.round(2.5), Math.max(1, 5, 3), Math.min(), Math.sqrt(16), Math.abs(-3), Math.trunc(-1.7), Math.pow(2, 5), Math.log2(8), Math.hypot(3, 4), Math.sign(-2)]',
  numbers:
    "return [Number('12'), Number.isInteger(3), Number.isInteger(3.5), parseInt('12px'), parseFloat('1.5'), (255).toString(16), (1.005).toFixed(1), 0x10, 1_000, 1e3]",
  typeofs: "return [typeof 1, typeof 'a', typeof true, typeof undefined, typeof null, typeof [], typeof (() => 1)]",
  iterationIsLive:
    'const a = [1, 2]; const seen = []; for (const x of a) { seen.push(x); if (a.length < 4) a.push(x + 10); } return seen',
  callMutates: 'const a = []; const add = (x) => { a.push(x); return x; }; add(add(1) + add(2)); return a',
};

describe('the evaluator agrees with JavaScript', () => {
  test.each(Object.entries(SNIPPETS))('%s', async (_name, statements) => {
    expect(await evaluated(statements)).toBe(hosted(statements));
  });

  test('on generated arithmetic', async () => {
    const leaf = fc.oneof(
      fc.integer({ min: -20, max: 20 }).map((n) => `(${n})`),
      fc.constantFrom('a', 'b', '0.5'),
    );
    const operator = fc.constantFrom(
      '+',
      '-',
      '*',
      '/',
      '%',
      '<',
      '>=',
      '===',
      '!==',
      '&',
      '|',
      '^',
      '<<',
      '>>',
      '>>>',
    );
    const { expression } = fc.letrec<{ expression: string }>((tie) => ({
      expression: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.tuple(tie('expression'), operator, tie('expression')).map(([l, o, r]) => `Number(${l} ${o} ${r})`),
        fc.tuple(tie('expression'), tie('expression')).map(([l, r]) => `(${l} ? ${r} : -${r})`),
        fc.tuple(tie('expression'), tie('expression')).map(([l, r]) => `Math.max(${l} && ${r}, ${r} || ${l})`),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(expression, async (text) => {
        const statements = `const a = 3; let b = -7; return ${text}`;
        expect(await evaluated(statements)).toBe(hosted(statements));
      }),
      { numRuns: 40 },
    );
  });

  test('types are ignored', async () => {
    const text =
      'interface A { n: number } type B = A | null; const f = <T,>(x: T): T => x; const a = { n: f<number>(4) } satisfies A; ' +
      'return (a as B)!.n + (<number>1) + [1, 2].map((x: number): number => x)[0]!;';
    expect(await evaluated(text)).toBe('6');
  });
});
