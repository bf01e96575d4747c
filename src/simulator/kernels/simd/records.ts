/** What the records of a conv command say of its channels beside the weights, taken apart for the vectors. */
import { lengthOf } from '../../geometry.js';
import type { ConvWork } from '../conv.js';
import type { Engine } from './engine.js';
import { PARAMETER_ARRAYS, type Rounding } from './rescale-code.js';
import type { Room } from './room.js';

export interface Records {
  readonly address: number; // of the first channel's
  readonly bytes: number; // of each
  readonly arrays: number;
  readonly stride: number; // bytes from an array to the next
  readonly rounding: Rounding;
  readonly refused: number;
}

/** Room for the records of the task's channels. */
export function takeRecords(room: Room, work: ConvWork): Records {
  const { task, headBytes, taps, recordBase, recordForm, roundsOnce } = work;
  const stride = Math.ceil(lengthOf(task.channels) / 4) * 16;
  const bytes = headBytes + taps;
  return {
    address: recordBase + task.channels.lo * bytes,
    bytes,
    arrays: room.take(PARAMETER_ARRAYS * stride),
    stride,
    rounding: recordForm === 2 ? 'real' : roundsOnce ? 'once' : 'twice',
    refused: room.take(4),
  };
}

/** @returns false when only the plain kernels can do what is in them */
export function decode(engine: Engine, work: ConvWork, records: Records): boolean {
  const { address, bytes, arrays, stride, refused } = records;
  engine.bytes[refused] = 0;
  engine.decodeRecords(address, bytes, lengthOf(work.task.channels), work.recordForm, arrays, stride, refused);
  return engine.bytes[refused] === 0;
}
