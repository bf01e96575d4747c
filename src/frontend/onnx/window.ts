import type { Window2d } from '../../ir/types.js';
import { unsupported } from '../import-problems.js';
import { intAttribute, intsAttribute, stringAttribute } from './attributes.js';
import { shapeText } from './constant.js';
import type { OnnxNode } from './graph.js';
import { malformed } from './problems.js';
import type { Image, PendingPad } from './value.js';

export interface PlacedWindow {
  readonly window: Window2d;
  readonly outHeight: number;
  readonly outWidth: number;
  /** Rows or columns of padding that exist only because ceil_mode rounded the output up. */
  readonly ceilPadding: boolean;
}

const MAX_WINDOW = 2 ** 13; // kernel, stride, dilation, padding: above any network, small enough to try every position

/** Kernel, stride, dilation and padding of a 2-D operator, with auto_pad and ceil_mode resolved, and the output's size. */
export function placeWindow(
  node: OnnxNode,
  image: Pick<Image, 'height' | 'width'>,
  kernel: readonly number[],
  pending: PendingPad | undefined,
): PlacedWindow {
  const strides = pair(node, 'strides', 1);
  const dilations = pair(node, 'dilations', 1);
  checkRange(node, 'kernel_shape', kernel, 2, 1);
  const pads = asTwoPads(intsAttribute(node, 'pads') ?? [0, 0, 0, 0]);
  checkRange(node, 'pads', pads, 4, 0);
  const autoPad = stringAttribute(node, 'auto_pad', 'NOTSET');
  if (pending !== undefined && autoPad.startsWith('SAME')) unsupported('auto_pad after a Pad');
  const before = [pending?.top ?? 0, pending?.left ?? 0];
  const after = [pending?.bottom ?? 0, pending?.right ?? 0];
  const axes = [image.height, image.width].map((size, axis) =>
    placeAxis(node, autoPad, {
      size,
      kernel: kernel[axis] ?? 1,
      stride: strides[axis] ?? 1,
      dilation: dilations[axis] ?? 1,
      before: (pads[axis] ?? 0) + (before[axis] ?? 0),
      after: (pads[axis + 2] ?? 0) + (after[axis] ?? 0),
    }),
  );
  const [rows, columns] = axes;
  if (rows === undefined || columns === undefined) throw new Error('an image has two axes');
  return {
    window: {
      kernel: [kernel[0] ?? 1, kernel[1] ?? 1],
      stride: [strides[0] ?? 1, strides[1] ?? 1],
      dilation: [dilations[0] ?? 1, dilations[1] ?? 1],
      pad: { top: rows.before, left: columns.before, bottom: rows.after, right: columns.after },
    },
    outHeight: rows.outSize,
    outWidth: columns.outSize,
    ceilPadding: rows.ceilPadding || columns.ceilPadding,
  };
}

interface Axis {
  readonly size: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly after: number;
}

function placeAxis(
  node: OnnxNode,
  autoPad: string,
  axis: Axis,
): { outSize: number; before: number; after: number; ceilPadding: boolean } {
  const reach = (axis.kernel - 1) * axis.dilation + 1;
  let { before, after } = axis;
  switch (autoPad) {
    case 'NOTSET':
    case '':
      break;
    case 'VALID':
      break;
    case 'SAME_UPPER':
    case 'SAME_LOWER': {
      const total = Math.max(0, (Math.ceil(axis.size / axis.stride) - 1) * axis.stride + reach - axis.size);
      before = autoPad === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
      after = total - before;
      break;
    }
    default:
      malformed('SW2007', node.loc, `auto_pad '${autoPad}' of ${node.operator}`);
  }
  const room = axis.size + before + after - reach;
  if (room < 0) {
    malformed(
      'SW2007',
      node.loc,
      `${node.operator}: a window of ${reach} does not fit into ${axis.size} with padding ${before} and ${after}`,
    );
  }
  const floorSize = Math.floor(room / axis.stride) + 1;
  let outSize = floorSize;
  if (intAttribute(node, 'ceil_mode', 0) !== 0) {
    outSize = Math.ceil(room / axis.stride) + 1;
    // A last window that starts in the padding after the image is dropped.
    if ((outSize - 1) * axis.stride >= axis.size + before) outSize--;
  }
  const ceilPadding = outSize > floorSize;
  if (ceilPadding) after = (outSize - 1) * axis.stride + reach - axis.size - before;
  return { outSize, before, after, ceilPadding };
}

/** Attributes of a one-dimensional operator, seen as one on images of a single column. */
function asTwo(values: readonly number[], fallback: number): readonly number[] {
  return values.length === 1 ? [values[0] ?? fallback, fallback] : values;
}

export function asTwoPads(values: readonly number[]): readonly number[] {
  return values.length === 2 ? [values[0] ?? 0, 0, values[1] ?? 0, 0] : values;
}

export const asKernel = (values: readonly number[]): readonly number[] => asTwo(values, 1);

function pair(node: OnnxNode, name: string, fallback: number): readonly number[] {
  const values = asTwo(intsAttribute(node, name) ?? [fallback, fallback], fallback);
  checkRange(node, name, values, 2, 1);
  return values;
}

function checkRange(node: OnnxNode, name: string, values: readonly number[], length: number, least: number): void {
  if (values.length !== length) unsupported(`${name} of ${values.length} numbers; only 2-D images are supported`);
  if (values.some((value) => !(value >= least && value <= MAX_WINDOW))) {
    malformed('SW2007', node.loc, `${name} of ${node.operator} is ${shapeText(values)}`);
  }
}
