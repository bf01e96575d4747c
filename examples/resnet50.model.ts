/**
 * ResNet-50 v1.5: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, table 1, with the stride of a
 * bottleneck in its 3x3 convolution as torchvision has it (v1.5), not in the first 1x1 (v1).
 *
 * Batch norm is folded into the convolutions. 25.5 M weights; the largest activation at 224x224 is 802816 elements.
 */
import { add, conv2d, dense, flatten, globalAvgPool, input, maxPool, model, type Tensor } from 'spillway/model';

interface Stage {
  readonly blocks: number;
  readonly width: number;
  readonly stride: number;
}

const STAGES: readonly Stage[] = [
  { blocks: 3, width: 64, stride: 1 },
  { blocks: 4, width: 128, stride: 2 },
  { blocks: 6, width: 256, stride: 2 },
  { blocks: 3, width: 512, stride: 2 },
];

/** A bottleneck's output is four times as wide as its 3x3 convolution. */
const EXPANSION = 4;

/** 1x1 reduce, 3x3, 1x1 expand, plus the shortcut; the first of a stage projects its shortcut. */
function bottleneck(x: Tensor, name: string, width: number, stride: number): Tensor {
  const channels = width * EXPANSION;
  const reduced = conv2d(x, { name: `${name}.conv1`, channels: width, kernel: 1, activation: 'relu' });
  const middle = conv2d(reduced, {
    name: `${name}.conv2`,
    channels: width,
    kernel: 3,
    stride,
    pad: 1,
    activation: 'relu',
  });
  const expanded = conv2d(middle, { name: `${name}.conv3`, channels, kernel: 1 });
  const projects = stride !== 1 || x.channels !== channels;
  const shortcut = projects ? conv2d(x, { name: `${name}.downsample`, channels, kernel: 1, stride }) : x;
  return add(expanded, shortcut, { name: `${name}.add`, activation: 'relu' });
}

export default model({
  name: 'resnet50',
  params: {
    size: { default: 224, min: 32, max: 4096 },
    batch: { default: 1, min: 1 },
    classes: { default: 1000, min: 1 },
  },
  build: ({ size, classes }) => {
    const image = input({ name: 'image', height: size, width: size, channels: 3 });
    const stem = conv2d(image, { name: 'stem.conv', channels: 64, kernel: 7, stride: 2, pad: 3, activation: 'relu' });
    let x = maxPool(stem, { name: 'stem.pool', kernel: 3, stride: 2, pad: 1 });
    STAGES.forEach(({ blocks, width, stride }, stage) => {
      for (let block = 0; block < blocks; block++) {
        x = bottleneck(x, `stage${stage + 1}.block${block}`, width, block === 0 ? stride : 1);
      }
    });
    const pooled = flatten(globalAvgPool(x, { name: 'pool' }), { name: 'flatten' });
    return dense(pooled, { name: 'fc', channels: classes });
  },
});
