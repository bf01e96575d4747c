// biome-ignore-all lint/suspicious/noTemplateCurlyInString: template strings of the model files under test
import { describe, expect, test } from '@jest/globals';
import { buildText, diagnosticsOf, diagnosticsOfFiles, LINES_BEFORE, modelText } from './dsl-fixture.js';

/** `code line:column`, lines counted from the first line after the imports. */
async function placesOf(text: string): Promise<string[]> {
  const diagnostics = await diagnosticsOf(modelText(text));
  return diagnostics.map(({ code, loc }) => `${code} ${(loc.line ?? 0) - LINES_BEFORE}:${loc.column}`);
}

/** Of a body of `build`: lines counted from its first. */
async function buildFailure(body: string): Promise<string> {
  const [first, ...more] = await diagnosticsOf(buildText(body));
  expect(more).toEqual([]);
  expect(first?.blame).toBe('model');
  return `${first?.code} ${(first?.loc.line ?? 0) - LINES_BEFORE - 1}:${first?.loc.column} ${first?.message}`;
}

describe('what is not evaluated', () => {
  const constructs: Readonly<Record<string, string>> = {
    class: 'class A {}',
    enum: 'enum A { B }',
    namespace: 'namespace A { export const b = 1; }',
    try: 'try { 1; } catch {}',
    label: 'a: for (;;) { break a; }',
    'for-in': 'for (const k in {}) {}',
    var: 'var a = 1;',
    async: 'const f = async () => 1;',
    generator: 'function* g() {}',
    await: 'const a = await 1;',
    regex: 'const r = /a/;',
    bigint: 'const b = 1n;',
    new: 'const m = new Map();',
    this: 'const t = this;',
    delete: 'delete ({} as any).a;',
    void: 'void 0;',
    comma: 'const c = (1, 2);',
    instanceof: 'const i = ({}) instanceof Object;',
    'tagged template': 'const s = String; s`a`;',
    'dynamic import': "import('./a.js');",
    getter: 'const o = { get a() { return 1; } };',
    'export from': "export { a } from './a.js';",
    'object pattern assignment': 'let a = 1; ({ a } = { a: 2 });',
    'assignment to a const': 'const a = 1; a = 2;',
  };
  test.each(Object.entries(constructs))('%s', async (_name, text) => {
    const [first] = await diagnosticsOf(modelText(text));
    expect(first?.code).toBe('SW1003');
    expect(first?.loc.line).toBe(LINES_BEFORE + 1);
    expect(first?.hint).toBeDefined();
  });

  test('all of it is listed at once, each at its place, reached or not', async () => {
    const text = 'const f = () => {\n  if (false) {\n    new Map(); class A {}\n  }\n};\n  undefinedName;';
    expect(await placesOf(text)).toEqual(['SW1003 3:5', 'SW1003 3:16', 'SW1004 6:3']);
  });

  test('syntax errors have their place', async () => {
    expect(await placesOf('const a = ;\nconst b = 1;\nif (')).toEqual(['SW1002 1:11', 'SW1002 3:5']);
  });
});

describe('nothing of the host can be reached', () => {
  test.each([
    'process',
    'require',
    'globalThis',
    'eval',
    'Function',
    'fetch',
    'module',
    'Reflect',
    'console',
    'Date',
    'Symbol',
  ])('%s is not defined', async (name) => {
    expect(await placesOf(`const a = ${name};`)).toEqual(['SW1004 1:11']);
  });

  test.each([
    '(() => 1).constructor',
    '[].constructor',
    "'a'.constructor",
    '(1).constructor("return process")()',
    'Math.floor.constructor',
    'input.prototype',
    "''['constructor']",
    '[]["__proto__"]',
    'x.constructor',
    'x.__proto__',
    'model.call(1)',
    'Array.prototype',
    '[].map.call([1], (v) => v)',
    'Math.max.apply(0, [1])',
  ])('%s', async (expression) => {
    expect(await buildFailure(`const a = ${expression}; return relu(x);`)).toMatch(/^SW1005 1:/);
  });

  test('fields named like inherited ones are fields like any other', async () => {
    const body =
      "const o: any = {}; if (o.constructor !== undefined || o.__proto__ !== undefined || 'toString' in o) throw 'inherited'; " +
      "o['__proto__'] = { polluted: 1 }; o.constructor = 2; const p: any = {}; if (p.polluted !== undefined) throw 'polluted'; " +
      'throw `own ${o.constructor} ${o.polluted}`;';
    expect(await buildFailure(body)).toContain('the model refuses: own 2 undefined');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test('namespaces cannot be changed, nor tensors', async () => {
    expect(await buildFailure('(Math as any).floor = 1; return x;')).toMatch(/^SW1005/);
    expect(await buildFailure('(x as any).shape = [1]; return x;')).toMatch(/^SW1005/);
  });

  test('imports stay in the folder of the model', async () => {
    const files = (specifier: string) => ({
      'a/a.model.ts': `import { b } from '${specifier}'; export default b;`,
      'b.ts': 'export const b = 1;',
    });
    for (const specifier of [
      '../b.ts',
      '../../../../../../etc/hostname.ts',
      'node:fs',
      'fs',
      '/etc/hostname.ts',
      './b.json',
    ]) {
      const [first] = await diagnosticsOfFiles(files(specifier));
      expect(first).toMatchObject({ code: 'SW1007', loc: { file: 'a/a.model.ts', line: 1, column: 1 } });
    }
  });

  test('files that import each other are refused', async () => {
    const files = {
      'a.model.ts': "import { b } from './b.ts';",
      'b.ts': "import { a } from './a.model.ts'; export const b = 1;",
    };
    expect(await diagnosticsOfFiles(files)).toMatchObject([{ code: 'SW1007', loc: { file: 'b.ts', line: 1 } }]);
  });
});

describe('a model that does not end, or grows without end, is stopped', () => {
  const endless: Readonly<Record<string, string>> = {
    while: 'while (true) {}',
    'empty for': 'for (;;);',
    'do-while': 'do { } while (1);',
    'growing list': 'const a = [1]; for (const b of a) a.push(b);',
    'doubling list': 'let a = [1]; while (true) a = [...a, ...a];',
    'doubling string': "let s = 'a'; while (true) s += s;",
    'callback that grows its list': 'const a = [1]; a.forEach((v) => a.push(v));',
    recursion: 'const f = (): number => f(); f();',
    'recursion through a callback': 'const f = (): any => [1].map(() => f()); f();',
    'deep recursion of big expressions':
      'const f = (n: number): number => [[[f(n + 1)]]].flatMap((v) => v.map((w) => w[0]!))[0]!; f(0);',
    'huge list at once': 'Array.from({ length: 1e9 }, () => 0);',
    'huge string at once': "'a'.repeat(1e9); 'a'.padStart(1e9);",
    layers: 'let y = x; while (true) y = relu(y);',
    'huge tensor': 'let y = x; for (let i = 0; i < 40; i++) y = upsample(y);',
    'huge weights': 'let y = flatten(x); for (let i = 0; i < 3; i++) y = dense(y, { channels: 1000000 });',
    'huge pool': 'for (let i = 0; i < 1e6; i++) maxPool(x, { kernel: 4096, pad: 4095, stride: 4096 });',
  };
  test.each(Object.entries(endless))('%s', async (_name, statements) => {
    expect(await buildFailure(`${statements}\nreturn x;`)).toMatch(/^SW1006 1:/);
  });

  test('nesting that is too deep for the parser', async () => {
    const text = `export default ${'('.repeat(60000)}1${')'.repeat(60000)};`;
    expect(await diagnosticsOf(text)).toMatchObject([{ code: 'SW1006', loc: { file: 'a.model.ts' } }]);
  });

  test('a file that is too large', async () => {
    expect(await diagnosticsOf('const a = 1;\n'.repeat(30000))).toMatchObject([{ code: 'SW1001' }]);
  });
});

describe('operations on the wrong values', () => {
  const cases: readonly (readonly [string, string])[] = [
    ["1 - ('a' as any)", "- needs two numbers, not the number 1 and the string 'a'"],
    ['x + 1', '+ needs two numbers, not the tensor x [1, 8, 8, 4] and the number 1'],
    ["1 < ('a' as any)", "< cannot compare the number 1 with the string 'a'"],
    ["1 == ('1' as any)", "== between the number 1 and the string '1'"],
    ['(undefined as any).a', "undefined has no property 'a'"],
    ['(5 as any)()', "'5 as any' is not a function"],
    ['({} as any).f()', "'f' of an empty object is not a function"],
    ['-x', 'a number is needed here, not the tensor x [1, 8, 8, 4]'],
    ['[...(5 as any)]', '... spreads a list here, not the number 5'],
    ['`${x}`', 'the tensor x [1, 8, 8, 4] has no text'],
    ['flatten(x).height', 'the tensor flatten1 [1, 256] is no image and has no height'],
    ['[1].reduce(1 as any)', 'argument 1 of reduce must be a function, not the number 1'],
    ["Math.floor('1' as any)", "argument 1 of Math.floor must be a number, not the string '1'"],
  ];
  test.each(cases)('%s', async (expression, message) => {
    expect(await buildFailure(`const v = ${expression}; return x;`)).toContain(message);
  });

  test('a name before its declaration', async () => {
    expect(await buildFailure('const f = () => a; f(); const a = 1; return x;')).toBe(
      "SW1005 1:17 'a' is used before its declaration is reached",
    );
  });

  test('the calls that led there are in the hint', async () => {
    const text = 'const outer = (t: any) => inner(t, 3);\nconst inner = (t: any, k: number) => t - k;\n';
    const [first] = await diagnosticsOf(
      modelText(`${text}export default model({ name: 'm', build: () => outer(input({ channels: 3 })) });`),
    );
    expect(first?.loc).toEqual({ file: 'a.model.ts', line: LINES_BEFORE + 2, column: 40 });
    expect(first?.hint).toBe(
      `in inner(), called from a.model.ts:${LINES_BEFORE + 1}:27; in outer(), called from a.model.ts:${LINES_BEFORE + 3}:48`,
    );
  });

  test("the model's own checks", async () => {
    expect(
      await buildFailure('if (x.height % 3) throw new Error(`height ${x.height} is no multiple of 3`);\nreturn x;'),
    ).toBe('SW1012 1:19 the model refuses: height 8 is no multiple of 3');
  });
});

describe('builder calls', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['conv2d(x, { chanels: 3, kernel: 1 } as any)', /^SW1010 .* has no option 'chanels'/],
    ['conv2d(x, { channels: 2.5, kernel: 1 })', /^SW1010 .*channels of conv2d must be an integer of at least 1/],
    ['conv2d(x, { channels: 0, kernel: 1 })', /^SW1010/],
    ['conv2d(x, { channels: 4, kernel: [1, 2, 3] } as any)', /^SW1010 .*kernel of conv2d/],
    ["conv2d(x, { channels: 4, kernel: 1, pad: 'full' } as any)", /^SW1010 .*pad of conv2d/],
    ["conv2d(x, { channels: 4, kernel: 1, activation: 'gelu' } as any)", /^SW1010 .*'gelu' is no activation/],
    ['conv2d(x.shape as any, { channels: 4, kernel: 1 })', /^SW1010 .*must be a tensor, not a list of 4/],
    ['conv2d(x, undefined as any)', /^SW1010 .*takes an object with options/],
    ["relu(x, { name: '../../a' })", /^SW1010 .*name of relu/],
    ["relu(relu(x, { name: 'a' }), { name: 'a' })", /^SW1010 .*the name 'a' is taken by the call at line/],
    ['concat([])', /^SW1010 .*takes a list of tensors/],
    ['reshape(x, [2, 128])', /^SW1010/],
    ['clamp(x, { lo: 1, hi: 0 })', /^SW1010/],
    ['add(x, maxPool(x, { kernel: 2 }))', /^SW1011 .*\[1, 8, 8, 4\].*\[1, 4, 4, 4\]/],
    ['conv2d(x, { channels: 4, kernel: 9 })', /^SW1011 .*window of 9 rows does not fit.*\[1, 8, 8, 4\]/],
    ['conv2d(x, { channels: 4, kernel: 3, dilation: 4 })', /^SW1011 .*window of 9 rows/],
    ['conv2d(x, { channels: 6, kernel: 1, groups: 3 })', /^SW1011 .*3 groups do not divide 4 input and 6 output/],
    ['conv2d(flatten(x), { channels: 6, kernel: 1 })', /^SW1011 .*takes an image/],
    ['dense(x, { channels: 6 })', /^SW1011 .*takes a vector \[1, K\]/],
    ['reshape(x, [1, 255])', /^SW1011 .*element counts differ/],
    ['slice(x, { start: 3, length: 2 })', /^SW1011/],
    ['concat([x, maxPool(x, { kernel: 2 })])', /^SW1011/],
  ];
  test.each(cases)('%s', async (expression, message) => {
    const failure = await buildFailure(`return (\n  ${expression}\n);`);
    expect(failure).toMatch(message);
    expect(failure).toMatch(/^SW10\d\d 2:3 /); // the call itself, not the statement
  });
});

describe('the definition of a model', () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['no default export', 'const a = 1;', /no default export/],
    ['another default export', 'export default 5;', /the number 5 is the default export/],
    ['no object', 'export default model(5 as any);', /takes an object/],
    ['an unknown field', "export default model({ name: 'm', bild: 1 } as any);", /has no field bild/],
    [
      'a bad name',
      "export default model({ name: 'a/b', build: () => input({ channels: 1 }) });",
      /the name of a model/,
    ],
    [
      'nothing returned',
      "export default model({ name: 'm', build: () => undefined as any });",
      /must return the outputs/,
    ],
    [
      'an input returned',
      "export default model({ name: 'm', build: () => input({ channels: 1 }) });",
      /returned as an output/,
    ],
    [
      'an output twice',
      "export default model({ name: 'm', build: () => { const y = relu(input({ channels: 1 })); return [y, y]; } });",
      /twice/,
    ],
    [
      'a path as output name',
      "export default model({ name: 'm', build: () => ({ '../a': relu(input({ channels: 1 })) }) });",
      /no name for an output/,
    ],
    ['a layer outside build', 'const x = input({ channels: 3 });', /while no model is being built/],
    [
      'an unused input',
      "export default model({ name: 'm', build: () => { input({ channels: 2, name: 'u' }); return relu(input({ channels: 1 })); } });",
      /depends on the input 'u'/,
    ],
    [
      'a parameter without value',
      "export default model({ name: 'm', params: { a: { min: 3 } } as any, build: () => 1 as any });",
      /default of parameter 'a'/,
    ],
  ];
  test.each(cases)('%s', async (_name, text, message) => {
    const diagnostics = await diagnosticsOf(modelText(text));
    expect(diagnostics).toMatchObject([{ code: 'SW1008', blame: 'model' }]);
    expect(diagnostics[0]?.message).toMatch(message);
  });

  test('build is not a function', async () => {
    const [first] = await diagnosticsOf(modelText("export default model({ name: 'm', build: 5 } as any);"));
    expect(first?.message).toBe('the field build of the model is not a function');
  });

  test('a missing file', async () => {
    expect(await diagnosticsOfFiles({})).toMatchObject([{ code: 'SW1001' }]);
  });
});
