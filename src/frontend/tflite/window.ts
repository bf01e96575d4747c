/** Strides, dilation and padding of convolutions and pools. */
import type { Window2d } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import type { NodeContext } from './context.js';
import { malformed } from './problems.js';
import { type Padding, padding } from './schema.js';

/** [rows, columns] each. */
export interface WindowOptions {
  readonly padding: Padding;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
}

export function paddingOption(node: NodeContext): Padding {
  const code = node.options.int8(0);
  return padding(code) ?? unsupported(`padding of kind ${code}`);
}

/** @param image [1, H, W, C] under the window */
export function windowOver(node: NodeContext, image: readonly number[], options: WindowOptions): Window2d {
  const { kernel, stride, dilation } = options;
  if (image.length !== 4) malformed('SW2107', node.loc, `${node.operator} of [${image.join(', ')}], which is no image`);
  if ([...kernel, ...stride, ...dilation].some((v) => v < 1 || v > 2 ** 20)) {
    const sizes = `kernel ${kernel.join('x')}, stride ${stride.join('x')}, dilation ${dilation.join('x')}`;
    malformed('SW2107', node.loc, `${node.operator} has ${sizes}`);
  }
  const around = ([0, 1] as const).map((axis) => {
    if (options.padding === 'valid') return { before: 0, after: 0 };
    const length = image[1 + axis] ?? 1;
    const extent = (kernel[axis] - 1) * dilation[axis] + 1;
    const outputs = Math.ceil(length / stride[axis]);
    const total = Math.max(0, (outputs - 1) * stride[axis] + extent - length);
    const before = Math.floor(total / 2);
    return { before, after: total - before };
  });
  const [rows, columns] = around;
  return {
    kernel,
    stride,
    dilation,
    pad: {
      top: rows?.before ?? 0,
      left: columns?.before ?? 0,
      bottom: rows?.after ?? 0,
      right: columns?.after ?? 0,
    },
  };
}
