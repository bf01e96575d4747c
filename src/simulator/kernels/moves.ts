/** Commands that move bytes as they are: DMA and permute. */
import { at, clip, pixelAddress, viewOf } from '../geometry.js';
import type { Memory } from '../memory.js';
import type { Fields } from '../sequencer.js';
import { counts, linearRange, strides } from '../touch.js';

export function runRows(memory: Memory, fields: Fields, isLoad: boolean): void {
  const rows = clip(at(fields, 'row0'), at(fields, 'rows'), at(fields, 'imageH'));
  const cols = clip(at(fields, 'col0'), at(fields, 'cols'), at(fields, 'imageW'));
  const bytes = at(fields, 'pixelBytes');
  const view = viewOf(fields, 'sram');
  const pixelPitch = at(fields, 'dramPixelPitch');
  const pixels = cols.hi - cols.lo;
  const isDense = pixels === 1 || (pixelPitch === bytes && view.pixelPitch === bytes && view.stripes === undefined);
  const runs = isDense ? Math.min(1, pixels) : pixels;
  const runBytes = isDense ? pixels * bytes : bytes;
  for (let row = rows.lo; row < rows.hi; row++) {
    const dramRow = at(fields, 'dramBase') + row * at(fields, 'dramRowPitch') + cols.lo * pixelPitch;
    for (let run = 0; run < runs; run++) {
      const sram = pixelAddress(view, row, cols.lo + run);
      move(memory, dramRow + run * pixelPitch, sram, runBytes, isLoad);
    }
  }
}

/** Entries of a table in DRAM by the indices of the rows. */
export function runGather(memory: Memory, fields: Fields): void {
  const rows = clip(at(fields, 'row0'), at(fields, 'rows'), at(fields, 'imageH'));
  const [indices, target] = [viewOf(fields, 'index'), viewOf(fields, 'sram')];
  const [entries, bytes] = [at(fields, 'entries'), at(fields, 'entryBytes')];
  for (let row = rows.lo; row < rows.hi; row++) {
    const raw = memory.int32[pixelAddress(indices, row, 0) / 4] ?? 0;
    const entry = Math.max(0, Math.min(entries - 1, raw < 0 ? raw + entries : raw));
    move(memory, at(fields, 'dramBase') + entry * bytes, pixelAddress(target, row, 0), bytes, true);
  }
}

export function runLinear(memory: Memory, fields: Fields, isLoad: boolean): void {
  const { lo, hi } = linearRange(fields);
  if (hi <= lo) return;
  const sram = at(fields, 'sramBase') + lo - at(fields, 'offset');
  move(memory, at(fields, 'dramBase') + lo, sram, hi - lo, isLoad);
}

function move(memory: Memory, dram: number, sram: number, bytes: number, isLoad: boolean): void {
  if (isLoad) memory.bytes.set(memory.dram.subarray(dram, dram + bytes), sram);
  else memory.dram.set(memory.bytes.subarray(sram, sram + bytes), dram);
}

export function runStrided(memory: Memory, fields: Fields, isLoad: boolean): void {
  const dram = { bytes: memory.dram, base: at(fields, 'dramBase'), stride: strides(fields, 'dram') };
  const sram = { bytes: memory.bytes, base: at(fields, 'sramBase'), stride: strides(fields, 'sram') };
  copyStrided(fields, isLoad ? dram : sram, isLoad ? sram : dram);
}

export function runPermute(memory: Memory, fields: Fields): void {
  const end = (base: number) => ({ bytes: memory.bytes, base });
  const from = { ...end(at(fields, 'inBase')), stride: strides(fields, 'in') };
  copyStrided(fields, from, { ...end(at(fields, 'outBase')), stride: strides(fields, 'out') });
}

interface StridedEnd {
  readonly bytes: Uint8Array;
  readonly base: number;
  readonly stride: readonly [number, number, number, number];
}

function copyStrided(fields: Fields, from: StridedEnd, to: StridedEnd): void {
  const count = counts(fields);
  const elementBytes = at(fields, 'elementBytes');
  for (let i = 0; i < count[0]; i++) {
    for (let j = 0; j < count[1]; j++) {
      for (let k = 0; k < count[2]; k++) {
        let source = from.base + i * from.stride[0] + j * from.stride[1] + k * from.stride[2];
        let target = to.base + i * to.stride[0] + j * to.stride[1] + k * to.stride[2];
        for (let l = 0; l < count[3]; l++) {
          for (let b = 0; b < elementBytes; b++) to.bytes[target + b] = from.bytes[source + b] ?? 0;
          source += from.stride[3];
          target += to.stride[3];
        }
      }
    }
  }
}
