/**
 * MobileNetV2: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, table 2; paddings and
 * the rounding of channels to multiples of 8 as in torchvision. Batch norm is folded into the convolutions. 3.5 M weights.
 */
import { add, conv2d, dense, depthwiseConv2d, flatten, globalAvgPool, input, model, type Tensor } from 'spillway/model';

/** Table 2 of the paper: expansion t, output channels c, repeats n, stride s of the first. */
const GROUPS = [
  { t: 1, c: 16, n: 1, s: 1 },
  { t: 6, c: 24, n: 2, s: 2 },
  { t: 6, c: 32, n: 3, s: 2 },
  { t: 6, c: 64, n: 4, s: 2 },
  { t: 6, c: 96, n: 3, s: 1 },
  { t: 6, c: 160, n: 3, s: 2 },
  { t: 6, c: 320, n: 1, s: 1 },
] as const;

/** The nearest multiple of 8, and never less than 90 % of what was asked for. */
function roundChannels(channels: number): number {
  const rounded = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

/** Expand 1x1, depthwise 3x3, project 1x1 without activation; the shortcut joins the narrow ends. */
function invertedResidual(x: Tensor, name: string, channels: number, stride: number, expansion: number): Tensor {
  const wide =
    expansion === 1
      ? x
      : conv2d(x, { name: `${name}.expand`, channels: x.channels * expansion, kernel: 1, activation: 'relu6' });
  const filtered = depthwiseConv2d(wide, { name: `${name}.depthwise`, kernel: 3, stride, pad: 1, activation: 'relu6' });
  const narrow = conv2d(filtered, { name: `${name}.project`, channels, kernel: 1 });
  return stride === 1 && x.channels === channels ? add(x, narrow, { name: `${name}.add` }) : narrow;
}

export default model({
  name: 'mobilenet-v2',
  params: {
    size: { default: 224, min: 32, max: 4096 },
    width: { default: 1, min: 0.1, max: 4 },
    batch: { default: 1, min: 1 },
    classes: { default: 1000, min: 1 },
  },
  build: ({ size, width, classes }) => {
    const image = input({ name: 'image', height: size, width: size, channels: 3 });
    const stemChannels = roundChannels(32 * width);
    let x = conv2d(image, { name: 'stem', channels: stemChannels, kernel: 3, stride: 2, pad: 1, activation: 'relu6' });
    let block = 0;
    for (const { t, c, n, s } of GROUPS) {
      for (let repeat = 0; repeat < n; repeat++) {
        x = invertedResidual(x, `block${block}`, roundChannels(c * width), repeat === 0 ? s : 1, t);
        block++;
      }
    }
    // The last convolution does not shrink below 1280 channels.
    const headChannels = roundChannels(1280 * Math.max(1, width));
    const head = conv2d(x, { name: 'head', channels: headChannels, kernel: 1, activation: 'relu6' });
    const pooled = flatten(globalAvgPool(head, { name: 'pool' }), { name: 'flatten' });
    return dense(pooled, { name: 'classifier', channels: classes });
  },
});
