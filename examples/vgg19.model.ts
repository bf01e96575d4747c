/**
 * VGG-19: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015, table 1,
 * configuration E. 143.7 M weights, 123.6 M of them in the three dense layers. Dropout does nothing at inference.
 */
import { conv2d, dense, flatten, input, maxPool, model, softmax } from 'spillway/model';

/** Channels of the 3x3 convolutions between one pooling and the next. */
const STAGES = [
  [64, 64],
  [128, 128],
  [256, 256, 256, 256],
  [512, 512, 512, 512],
  [512, 512, 512, 512],
];

export default model({
  name: 'vgg19',
  params: {
    // Five poolings halve the image; the dense layers have 25088 inputs at 224.
    size: { default: 224, min: 32, max: 1024 },
    batch: { default: 1, min: 1 },
    classes: { default: 1000, min: 1 },
  },
  build: ({ size, classes }) => {
    let x = input({ name: 'image', height: size, width: size, channels: 3 });
    STAGES.forEach((widths, stage) => {
      widths.forEach((channels, index) => {
        const name = `conv${stage + 1}_${index + 1}`;
        x = conv2d(x, { name, channels, kernel: 3, pad: 1, activation: 'relu' });
      });
      x = maxPool(x, { name: `pool${stage + 1}`, kernel: 2 });
    });
    const fc6 = dense(flatten(x, { name: 'flatten' }), { name: 'fc6', channels: 4096, activation: 'relu' });
    const fc7 = dense(fc6, { name: 'fc7', channels: 4096, activation: 'relu' });
    return softmax(dense(fc7, { name: 'fc8', channels: classes }), { name: 'softmax' });
  },
});
