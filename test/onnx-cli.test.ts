/** ONNX files on the command line: open dimensions, values of scalars, notes, graphs. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { type Finished, spillway } from './cli-harness.js';
import { encodeModel, floats, node, randomFloats, valueInfo } from './onnx-models.js';

jest.setTimeout(120_000); // a loaded machine must not fail them

let folder = '';
const runCli = (args: readonly string[]): Finished => spillway(...args);

const file = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'onnx-cli-'));
  const open = encodeModel({
    nodes: [node('Conv', ['x', 'w'], ['c']), node('Add', ['c', 'm'], ['y'])],
    initializers: [floats('w', [3, 2, 1, 1], randomFloats(6, 1))],
    inputs: [valueInfo('x', ['batch', 2, 'height', 'width']), valueInfo('m', ['batch', 1, 'height', 'width'])],
    outputs: ['y'],
  });
  const branch = (name: string, operator: string) => ({
    name,
    type: 5,
    g: { name, node: [node(operator, ['x'], [`${name}_y`])], output: [{ name: `${name}_y` }] },
  });
  const choice = {
    opType: 'If',
    name: 'choice',
    input: ['c'],
    output: ['y'],
    attribute: [branch('then_branch', 'Relu'), branch('else_branch', 'Abs')],
  };
  const chosen = encodeModel({
    nodes: [node('Greater', ['rate', 'limit'], ['c']), choice],
    initializers: [floats('limit', [], [9000])],
    inputs: [valueInfo('x', [1, 6]), valueInfo('rate', [])],
    outputs: ['y'],
  });
  const carrying = encodeModel({
    nodes: [node('Add', ['x', 'state'], ['sum']), node('Tanh', ['sum'], ['stateN']), node('Relu', ['sum'], ['y'])],
    inputs: [valueInfo('x', [1, 6]), valueInfo('state', [1, 6])],
    outputs: ['y', 'stateN'],
  });
  writeFileSync(file('carrying.onnx'), carrying);
  writeFileSync(file('open.onnx'), open);
  writeFileSync(file('chosen.onnx'), chosen);
});

afterAll(() => rmSync(folder, { recursive: true }));

const compile = (name: string, ...more: string[]) =>
  runCli(['compile', file(name), '--target', 'chip-a', '-o', file('out'), ...more]);

test('open dimensions are asked for, and settled by name for all inputs', () => {
  const refused = compile('open.onnx');
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('--input x=1x2xNxN');
  const done = compile('open.onnx', '--input', 'x=1x2x8x6', '--json');
  expect(done.code).toBe(0);
  expect(JSON.parse(runCli(['simulate', file('out'), '--json']).stdout).matchesReference).toBe(true);
  const wrong = compile('open.onnx', '--input', 'x=1x3x8x6');
  expect(wrong.code).not.toBe(0);
  expect(wrong.stderr).toContain('SW2006');
});

test('a condition that the user settles takes its branch, one that is open runs both', () => {
  const kinds = (...more: string[]): string[] => {
    const { stdout } = runCli(['inspect', file('chosen.onnx'), '--json', ...more]);
    return (JSON.parse(stdout).layers as { kind: string }[]).map(({ kind }) => kind);
  };
  expect(kinds('--input', 'rate=16000')).toEqual(['clamp']);
  expect(kinds('--input', 'rate=8000')).toEqual(['unary']);
  expect(kinds()).toEqual(['binary', 'clamp', 'unary', 'select']);
  const both = compile('chosen.onnx');
  expect(both.code).toBe(0);
  expect(both.stderr).toContain('kept in float32');
  expect(JSON.parse(runCli(['simulate', file('out'), '--json']).stdout).matchesReference).toBe(true);
});

test('a state goes from frame to frame, once it is named', () => {
  expect(compile('carrying.onnx').stderr).toContain('--state state=stateN');
  expect(runCli(['inspect', file('carrying.onnx')]).stderr).toContain('--state state=stateN');
  expect(runCli(['inspect', file('carrying.onnx'), '--state', 'state=stateN']).stderr).toBe('');
  const done = compile('carrying.onnx', '--state', 'state=stateN', '--json');
  expect(done.code).toBe(0);
  expect(done.stderr).not.toContain('--state');
  expect(JSON.parse(done.stdout).period.byClass).toMatchObject({ input: 24, output: 24, activations: 0 });
  const { periods, matchesReference } = JSON.parse(
    runCli(['simulate', file('out'), '--frames', '3', '--json']).stdout,
  ) as { periods: number; matchesReference: boolean };
  expect({ periods, matchesReference }).toEqual({ periods: 3, matchesReference: true });
  expect(compile('carrying.onnx', '--state', 'state=stateN', '--batch', '2').stderr).toContain('SW8001');
  expect(compile('carrying.onnx', '--state', 'state=z').stderr).toContain('SW2011');
});

test('the graph as Graphviz text', () => {
  const { code, stdout } = runCli(['inspect', file('chosen.onnx'), '--input', 'rate=8000', '--dot']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^digraph "chosen" \{/);
  expect(stdout).toContain('label="input x"');
  expect(stdout).toMatch(/input\d+ -> op\d+ \[label="float32 1x6"\];/);
  expect(stdout.trimEnd().endsWith('}')).toBe(true);
});
