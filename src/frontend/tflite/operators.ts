/** Every operator that is imported, by its name in the schema. */
import { limits } from './activation.js';
import type { Importer } from './context.js';
import { conv2d, depthwiseConv2d, fullyConnected } from './convolution.js';
import { binary, dequantize, quantize, softmax } from './elementwise.js';
import { concatenation, expandDims, pad, reshape, resize, squeeze } from './movement.js';
import { pool, reduce } from './pool.js';

export const IMPORTERS: ReadonlyMap<string, Importer> = new Map<string, Importer>([
  ['ADD', binary('add')],
  ['AVERAGE_POOL_2D', pool('avgPool')],
  ['CONCATENATION', concatenation],
  ['CONV_2D', conv2d],
  ['DEPTHWISE_CONV_2D', depthwiseConv2d],
  ['DEQUANTIZE', dequantize],
  ['EXPAND_DIMS', expandDims],
  ['FULLY_CONNECTED', fullyConnected],
  ['MAX_POOL_2D', pool('maxPool')],
  ['MEAN', reduce('mean')],
  ['MUL', binary('mul')],
  ['PAD', pad],
  ['PADV2', pad],
  ['QUANTIZE', quantize],
  ['RELU', limits('relu')],
  ['RELU6', limits('relu6')],
  ['RELU_N1_TO_1', limits('reluN1To1')],
  ['RESHAPE', reshape],
  ['RESIZE_BILINEAR', resize('bilinear')],
  ['RESIZE_NEAREST_NEIGHBOR', resize('nearest')],
  ['SOFTMAX', softmax],
  ['SQUEEZE', squeeze],
  ['SUB', binary('sub')],
  ['SUM', reduce('sum')],
]);
