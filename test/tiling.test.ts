/** Tilings worked out by hand: rows of rings, tiles of columns, chunks, and the bytes that they move. */
import { describe, expect, test } from '@jest/globals';
import { enumerateTilings } from '../passes/tile.js';
import { ProgramBuilder } from '../src/ir/builder.js';
import type { Window2d } from '../src/ir/types.js';
import { type Layer, layersOf } from '../src/schedule/layer.js';
import {
  chunkCount,
  columnTiles,
  periodWeightPasses,
  residentChannels,
  ringRows,
  roundResident,
  type Tiling,
  tileInputColumns,
  tilingTraffic,
  workspaceBuffers,
} from '../src/schedule/tiling.js';

/** A float convolution of 12 x 10 x 2 to 8 channels; records of 4 + 4 * 18 = 76 bytes for 3x3. */
function convLayer(kernel: number, stride: number, pad: number): Layer {
  const builder = new ProgramBuilder('tiles', 'tiles.model.ts');
  const x = builder.addInput({ name: 'x', dtype: 'float32', shape: [1, 12, 10, 2] });
  const w = builder.addConstant({
    name: 'w',
    shape: [8, kernel, kernel, 2],
    data: new Float32Array(8 * kernel * kernel * 2),
  });
  const b = builder.addConstant({ name: 'b', shape: [8], data: new Float32Array(8) });
  const window: Window2d = {
    kernel: [kernel, kernel],
    stride: [stride, stride],
    dilation: [1, 1],
    pad: { top: pad, left: pad, bottom: pad, right: pad },
  };
  builder.addOutput(builder.addOp({ kind: 'conv2d', name: 'conv', inputs: [x, w, b], window, groups: 1 }));
  const [layer] = layersOf(builder.build());
  if (layer === undefined) throw new Error('no layer');
  return layer;
}

function tilingOf(layer: Layer, change: Partial<Tiling>): Tiling {
  return {
    operandsFromSram: [false],
    toSram: false,
    weights: 'held',
    outer: 'rows',
    stripeRows: 1,
    tileColumns: layer.output.w,
    chunkChannels: layer.output.c,
    depth: 1,
    ...change,
  };
}

const rowsOf = (layer: Layer, change: Partial<Tiling>): number => {
  const [operand] = layer.operands;
  return operand === undefined ? -1 : ringRows(operand, layer, tilingOf(layer, change));
};

describe('rows of the ring of a streamed operand', () => {
  const same = convLayer(3, 1, 1);
  test.each([
    [1, 1, 3], // the window
    [4, 1, 6], // four rows and the halo
    [4, 2, 10], // and four more that are loaded meanwhile
    [12, 1, 12], // never more than the image
  ] as const)('3x3: stripes of %d, depth %d: %d rows', (stripeRows, depth, rows) => {
    expect(rowsOf(same, { stripeRows, depth })).toBe(rows);
  });

  test('a stride of two: the rows under two output rows', () => {
    expect(rowsOf(convLayer(3, 2, 1), { stripeRows: 2 })).toBe(5);
  });

  test('a stride that skips rows still loads them', () => {
    expect(rowsOf(convLayer(2, 3, 0), { stripeRows: 1 })).toBe(3);
  });
});

describe('tiles of columns', () => {
  const same = convLayer(3, 1, 1);
  test('the last tile is what is left', () => {
    expect(columnTiles(same, tilingOf(same, { tileColumns: 4 }))).toEqual([
      { start: 0, end: 4 },
      { start: 4, end: 8 },
      { start: 8, end: 10 },
    ]);
  });

  test('a tile in the middle has a halo on both sides, which is read twice', () => {
    const tiling = tilingOf(same, { tileColumns: 4 });
    const [operand] = same.operands;
    expect(operand === undefined ? -1 : tileInputColumns(operand, same, tiling)).toBe(6);
    // 5 + 6 + 3 columns of 12 rows of 2 floats
    expect(tilingTraffic(same, tiling).operandReadBytes).toEqual([14 * 12 * 8]);
    expect(tilingTraffic(same, tilingOf(same, {})).operandReadBytes).toEqual([10 * 12 * 8]);
  });
});

describe('weights', () => {
  const same = convLayer(3, 1, 1);
  test('held: once; streamed: once a stripe; in passes over the rows: the input once a chunk', () => {
    expect(same.weights).toMatchObject({ headerBytes: 0, channels: 8, recordBytes: 76, totalBytes: 608 });
    expect(tilingTraffic(same, tilingOf(same, {})).weightPasses).toBe(1);
    const streamed = tilingOf(same, { weights: 'streamed', chunkChannels: 2, stripeRows: 5 });
    expect(chunkCount(same, streamed, 0)).toBe(4);
    expect(chunkCount(same, streamed, 3)).toBe(3);
    expect(tilingTraffic(same, streamed).weightPasses).toBe(3);
    const passes = tilingOf(same, { weights: 'streamed', outer: 'channels', chunkChannels: 2 });
    expect(tilingTraffic(same, passes)).toEqual({
      operandReadBytes: [4 * 10 * 12 * 8],
      outputWriteBytes: 12 * 10 * 8 * 4,
      weightPasses: 1,
    });
  });

  test('frames of a batch: chunks beside streamed operands come in again for each, all others once', () => {
    const streamed = tilingOf(same, { weights: 'streamed', chunkChannels: 2, stripeRows: 12 });
    expect(periodWeightPasses(streamed, 1, 3)).toBe(3);
    expect(periodWeightPasses({ ...streamed, operandsFromSram: [true], toSram: true }, 1, 3)).toBe(1);
    expect(periodWeightPasses(tilingOf(same, {}), 1, 3)).toBe(1);
  });

  test('a resident prefix is whole records, a multiple of four bytes', () => {
    expect(roundResident(same, 607)).toBe(7 * 76);
    expect(roundResident(same, 608)).toBe(608);
    expect(roundResident(same, 75)).toBe(0);
    expect(residentChannels(same, 7 * 76)).toBe(7);
    expect(residentChannels(same, 608)).toBe(8);
  });
});

describe('workspace', () => {
  const same = convLayer(3, 1, 1);
  const bytesOf = (change: Partial<Tiling>, residentBytes = 0): Record<string, number> =>
    Object.fromEntries(
      workspaceBuffers(same, tilingOf(same, change), 16, residentBytes).map((buffer) => [
        buffer.role,
        buffer.sizeBytes,
      ]),
    );

  test('rings, double buffers and what is held, rounded up to the alignment', () => {
    expect(bytesOf({})).toEqual({ operand0: 3 * 10 * 8, output: 10 * 32, held: 608 });
    expect(bytesOf({ depth: 2, stripeRows: 2 })).toEqual({ operand0: 6 * 10 * 8, output: 4 * 10 * 32, held: 608 });
    expect(bytesOf({}, 4 * 76)).toMatchObject({ held: 304 });
    expect(bytesOf({}, 608)).not.toHaveProperty('held');
    expect(bytesOf({ weights: 'streamed', chunkChannels: 1, depth: 2 })).toMatchObject({ chunk: 160 }); // 152, aligned
  });

  test('in passes over the rows the output has the channels of a chunk', () => {
    expect(bytesOf({ weights: 'streamed', outer: 'channels', chunkChannels: 2 })).toMatchObject({ output: 10 * 8 });
  });

  test('nothing for what is in SRAM as a whole', () => {
    expect(bytesOf({ operandsFromSram: [true], toSram: true }, 608)).toEqual({});
  });
});

test('no tiling that is listed is beaten by another with the same homes', () => {
  for (const layer of [convLayer(3, 1, 1), convLayer(1, 2, 0), convLayer(5, 3, 2)]) {
    const choices = enumerateTilings(layer, { capacityBytes: 4000, alignmentBytes: 16 });
    const homes = (index: number): string =>
      JSON.stringify([choices[index]?.tiling.operandsFromSram, choices[index]?.tiling.toSram]);
    const costs = choices.map((choice) => [
      choice.workspaceBytes + choice.heldWeightBytes,
      choice.weightPasses,
      choice.trafficBytes,
      choice.tiling.weights === 'held' ? 0 : 1,
    ]);
    expect(choices.length).toBeGreaterThan(4);
    costs.forEach((cost, i) => {
      costs.forEach((other, j) => {
        if (i === j || homes(i) !== homes(j)) return;
        expect(other.every((value, k) => value <= (cost[k] ?? 0))).toBe(false);
      });
    });
  }
});
