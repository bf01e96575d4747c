import { at } from '../geometry.js';
import type { Memory } from '../memory.js';
import type { Fields } from '../sequencer.js';
import { runConv } from './conv.js';
import { runBinary, runLrn, runMap, runPad, runPool, runPoolRows, runResize, runSoftmax } from './images.js';
import { runGather, runLinear, runPermute, runRows, runStrided } from './moves.js';
import { runRecurrent } from './recurrent.js';
import { runRecurrentInt8 } from './recurrent-int8.js';
import { runLayerNorm, runMatMul, runReduce, runSelect } from './vector.js';

/** Does to the memories what the command says. Its accesses must have been found to be inside of them. */
export function runCommand(memory: Memory, op: string, fields: Fields): void {
  switch (op) {
    case 'loadRows':
      runRows(memory, fields, true);
      return;
    case 'storeRows':
      runRows(memory, fields, false);
      return;
    case 'gatherRows':
      runGather(memory, fields);
      return;
    case 'load':
      runLinear(memory, fields, true);
      return;
    case 'store':
      runLinear(memory, fields, false);
      return;
    case 'loadStrided':
      runStrided(memory, fields, true);
      return;
    case 'storeStrided':
      runStrided(memory, fields, false);
      return;
    case 'conv':
      runConv(memory, fields);
      return;
    case 'pool':
      runPool(memory, fields);
      return;
    case 'poolRows':
      runPoolRows(memory, fields);
      return;
    case 'binary':
      runBinary(memory, fields);
      return;
    case 'map':
      runMap(memory, fields);
      return;
    case 'resize':
      runResize(memory, fields);
      return;
    case 'pad':
      runPad(memory, fields);
      return;
    case 'softmax':
      runSoftmax(memory, fields);
      return;
    case 'select':
      runSelect(memory, fields);
      return;
    case 'reduce':
      runReduce(memory, fields);
      return;
    case 'layerNorm':
      runLayerNorm(memory, fields);
      return;
    case 'recurrent':
      if (at(fields, 'dtype') === 1) runRecurrent(memory, fields);
      else runRecurrentInt8(memory, fields);
      return;
    case 'matmul':
      runMatMul(memory, fields);
      return;
    case 'lrn':
      runLrn(memory, fields);
      return;
    case 'permute':
      runPermute(memory, fields);
      return;
    default:
      throw new Error(`command ${op} reached a queue`);
  }
}
