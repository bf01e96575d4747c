import { describe, expect, test } from '@jest/globals';
import { SpillwayError } from '../src/base/diagnostic.js';
import { allocate } from '../src/solver/allocator/allocate.js';
import { checkOffsets } from '../src/solver/allocator/check.js';
import { parseAllocationCsv, writeAllocationCsv } from '../src/solver/allocator/csv.js';
import type { AllocationBuffer } from '../src/solver/allocator/problem.js';
import { allocationSvg } from '../src/solver/allocator/svg.js';
import { perfectPacking } from './allocator-arbitraries.js';

function buffer(
  id: string,
  lower: number,
  upper: number,
  sizeBytes: number,
  rest: Partial<AllocationBuffer> = {},
): AllocationBuffer {
  return { id, lower, upper, sizeBytes, ...rest };
}

describe('allocate', () => {
  test('nothing to place', () => {
    const result = allocate({ capacityBytes: 0, buffers: [] });
    expect(result).toMatchObject({ status: 'optimal', heightBytes: 0, loadBytes: 0, provenOptimal: true });
  });

  test('buffers whose half-open lives touch share bytes', () => {
    const result = allocate({ capacityBytes: 10, buffers: [buffer('a', 0, 5, 10), buffer('b', 5, 9, 10)] });
    expect(result).toMatchObject({ status: 'optimal', heightBytes: 10 });
  });

  test('a gap gives its bytes to another, once', () => {
    const holder = buffer('holder', 0, 9, 8, { gaps: [{ lower: 3, upper: 6 }] });
    const inside = allocate({ capacityBytes: 8, buffers: [holder, buffer('inside', 3, 6, 8)] });
    expect(inside.status).toBe('optimal');
    const across = allocate({ capacityBytes: 8, buffers: [holder, buffer('across', 3, 7, 8)] });
    expect(across).toMatchObject({ status: 'infeasible', loadBytes: 16 });
    expect([...(across.conflict ?? [])].sort()).toEqual(['across', 'holder']);
  });

  test('what is empty or never live conflicts with nothing', () => {
    const buffers = [
      buffer('a', 0, 9, 8),
      buffer('empty', 0, 9, 0),
      buffer('gone', 2, 4, 8, { gaps: [{ lower: 0, upper: 9 }] }),
    ];
    const problem = { capacityBytes: 8, buffers };
    const result = allocate(problem);
    expect(result).toMatchObject({ status: 'optimal', heightBytes: 8 });
    expect(checkOffsets(problem, result.offsets)).toEqual([]);
  });

  test('all offsets are multiples of 64, and only the topmost buffer keeps its odd size', () => {
    const buffers = [buffer('a', 0, 4, 100, { alignmentBytes: 64 }), buffer('b', 0, 4, 30, { alignmentBytes: 64 })];
    const problem = { capacityBytes: 158, buffers };
    const result = allocate(problem);
    expect(result).toMatchObject({ status: 'optimal', loadBytes: 130, boundBytes: 158, heightBytes: 158 });
    expect(checkOffsets(problem, result.offsets)).toEqual([]);
    expect(allocate({ capacityBytes: 157, buffers }).status).toBe('infeasible');
  });

  test('the least height may end within an alignment step', () => {
    const buffers = [buffer('a', 1, 5, 1, { alignmentBytes: 3 }), buffer('b', 0, 2, 2, { alignmentBytes: 3 })];
    const result = allocate({ capacityBytes: 6, buffers }, { minimize: true });
    expect(result).toMatchObject({ status: 'optimal', heightBytes: 4 });
  });

  test('fixed buffers stay, and the others go below and above', () => {
    const buffers = [
      buffer('weights', 0, 9, 4, { fixedOffsetBytes: 4 }),
      buffer('below', 0, 9, 4),
      buffer('above', 0, 9, 5),
    ];
    const result = allocate({ capacityBytes: 13, buffers });
    expect(result.status).toBe('optimal');
    expect(Object.fromEntries(result.offsets)).toEqual({ weights: 4, below: 0, above: 8 });
  });

  test('fixed buffers that share bytes are the conflict', () => {
    const buffers = [buffer('a', 0, 9, 4, { fixedOffsetBytes: 4 }), buffer('b', 8, 12, 4, { fixedOffsetBytes: 6 })];
    expect(allocate({ capacityBytes: 100, buffers })).toMatchObject({ status: 'infeasible', conflict: ['a', 'b'] });
  });

  test('a conflict below the load is proven, and its set leaves the bystanders out', () => {
    // The five need 5 bytes although at most 4 are ever live: a pentagon of overlaps, with two bystanders.
    const buffers = [
      buffer('a', 0, 3, 2),
      buffer('b', 2, 5, 2),
      buffer('c', 4, 7, 2),
      buffer('d', 6, 9, 2, { gaps: [] }),
      buffer('e', 0, 9, 2, { gaps: [{ lower: 1, upper: 8 }] }),
      buffer('before', -5, 0, 3),
      buffer('after', 20, 25, 3),
    ];
    const result = allocate({ capacityBytes: 5, buffers });
    expect(result).toMatchObject({ status: 'infeasible', loadBytes: 4 });
    expect([...(result.conflict ?? [])].sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(allocate({ capacityBytes: 6, buffers }).status).not.toBe('infeasible');
  });

  test('a spent node limit says so, and still returns a plan without overlaps', () => {
    const problem = perfectPacking(64, 80, 120, 5);
    const result = allocate(problem, { nodeLimit: 0 });
    expect(result.status).toBe('budget');
    expect(result.conflict).toBeUndefined();
    expect(checkOffsets({ ...problem, capacityBytes: result.heightBytes }, result.offsets)).toEqual([]);
  });

  test('nonsense is refused', () => {
    expect(() => allocate({ capacityBytes: 1, buffers: [buffer('a', 0, 1, 1), buffer('a', 2, 3, 1)] })).toThrow(
      RangeError,
    );
    expect(() => allocate({ capacityBytes: 1, buffers: [buffer('a', 0, 1, 1.5)] })).toThrow(RangeError);
    expect(() => allocate({ capacityBytes: 1, buffers: [buffer('a', 0, 1, 1, { alignmentBytes: 0 })] })).toThrow(
      RangeError,
    );
  });
});

describe('the checker', () => {
  const buffers = [buffer('a', 0, 5, 8), buffer('b', 4, 9, 8, { alignmentBytes: 4 })];
  const check = (a: number, b: number): string[] =>
    checkOffsets(
      { capacityBytes: 20, buffers },
      new Map([
        ['a', a],
        ['b', b],
      ]),
    );

  test('accepts a sound plan', () => expect(check(0, 8)).toEqual([]));
  test('sees shared bytes', () => expect(check(1, 8)).toEqual(['buffers a and b share bytes at time 4']));
  test('sees the capacity', () => expect(check(0, 16)).toEqual(['buffer b ends at 24, above 20']));
  test('sees the alignment', () => expect(check(0, 10)).toEqual(['buffer b is at 10, no multiple of 4']));
  test('sees what is missing', () =>
    expect(checkOffsets({ capacityBytes: 20, buffers }, new Map([['a', 0]]))).toEqual(['buffer b has no offset']));
});

describe('CSV', () => {
  function codesOf(text: string): string[] {
    try {
      parseAllocationCsv(text, 'x.csv');
    } catch (error) {
      if (error instanceof SpillwayError) return error.diagnostics.map((d) => `${d.code}@${d.loc.line}`);
      throw error;
    }
    return [];
  }

  test('columns in any order, optional ones empty, blank lines and CRLF', () => {
    const text = '\uFEFFsize, Upper,id,lower,gaps,alignment,offset\r\n5,10,a,0,2-4 6-7,4,\r\n\r\n6,4,"b,""x",2,,,8\r\n';
    expect(parseAllocationCsv(text, 'x.csv')).toEqual([
      {
        id: 'a',
        lower: 0,
        upper: 10,
        sizeBytes: 5,
        alignmentBytes: 4,
        gaps: [
          { lower: 2, upper: 4 },
          { lower: 6, upper: 7 },
        ],
      },
      { id: 'b,"x', lower: 2, upper: 4, sizeBytes: 6, fixedOffsetBytes: 8 },
    ]);
  });

  test("MiniMalloc's older columns: begin, and an inclusive end of lives and gaps", () => {
    const text = 'buffer,begin,end,size,gaps\na,0,9,5,2-3\nb,4,4,6,\n';
    expect(parseAllocationCsv(text, 'x.csv')).toEqual([
      { id: 'a', lower: 0, upper: 10, sizeBytes: 5, gaps: [{ lower: 2, upper: 4 }] },
      { id: 'b', lower: 4, upper: 5, sizeBytes: 6 },
    ]);
  });

  test('what is written reads back', () => {
    const buffers = [
      buffer('a,1', 0, 10, 5, { alignmentBytes: 4, gaps: [{ lower: 2, upper: 4 }] }),
      buffer('b', 2, 4, 6),
    ];
    const text = writeAllocationCsv(
      buffers,
      new Map([
        ['a,1', 8],
        ['b', 0],
      ]),
    );
    expect(text).toBe('id,lower,upper,size,alignment,gaps,offset\n"a,1",0,10,5,4,2-4,8\nb,2,4,6,1,,0\n');
    const again = parseAllocationCsv(text, 'x.csv');
    expect(again.map((b) => b.fixedOffsetBytes)).toEqual([8, 0]);
  });

  test.each([
    ['', ['SW6001@1']],
    ['id,lower,size\n', ['SW6001@1']],
    ['id,lower,upper,size,lower\n', ['SW6001@1']],
    ['id,lower,upper,end,size\n', ['SW6001@1']],
    ['id,lower,upper,size\na,0,x,1\nb,0,1,-1\n', ['SW6002@2', 'SW6002@3']],
    ['id,lower,upper,size\na,3,3,1\n', ['SW6002@2']],
    ['id,lower,upper,size\na,0,3,1\na,4,5,1\n', ['SW6003@3']],
    ['id,lower,upper,size,gaps\na,0,9,4,3-4@0:2\nb,0,9,4,4-3\n', ['SW6002@2', 'SW6002@3']],
    ['id,lower,upper,size,alignment,offset\na,0,9,4,4,6\n', ['SW6002@2']],
  ])('faults of %j', (text, codes) => expect(codesOf(text)).toEqual(codes));
});

test('the picture is well-formed and escapes names', () => {
  const buffers = [buffer('<a&"b>', 0, 9, 8, { gaps: [{ lower: 3, upper: 6 }] }), buffer('c', 3, 6, 8)];
  const svg = allocationSvg(
    { capacityBytes: 8, buffers },
    new Map([
      ['<a&"b>', 0],
      ['c', 0],
    ]),
    8,
  );
  expect(svg.match(/<g><title>&lt;a&amp;&quot;b&gt;: 8 bytes at 0, live \[0, 9\)<\/title>/g)).toHaveLength(2);
  const opened = svg.match(/<(svg|g|title|text)[ >]/g) ?? [];
  const closed = svg.match(/<\/(svg|g|title|text)>/g) ?? [];
  expect(closed).toHaveLength(opened.length);
});
