/**
 * The first five convolutions and two poolings of VGG-19 at 224x224: the case of Alwani, Chen, Ferdman and Milder, "Fused-layer
 * CNN accelerators", MICRO 2016. Run as one block in float32 it moves its input and its output and nothing between them:
 * 602112 + 3211264 = 3813376 B. The paper does that with 362 KB of buffers.
 */
import { conv2d, input, maxPool, model } from 'spillway/model';

export default model({
  name: 'vgg-first-five',
  params: { size: { default: 224, min: 16, max: 1024 } },
  build: ({ size }) => {
    const image = input({ name: 'image', height: size, width: size, channels: 3 });
    const conv1 = conv2d(image, { name: 'conv1_1', channels: 64, kernel: 3, pad: 1, activation: 'relu' });
    const conv2 = conv2d(conv1, { name: 'conv1_2', channels: 64, kernel: 3, pad: 1, activation: 'relu' });
    const pool1 = maxPool(conv2, { name: 'pool1', kernel: 2 });
    const conv3 = conv2d(pool1, { name: 'conv2_1', channels: 128, kernel: 3, pad: 1, activation: 'relu' });
    const conv4 = conv2d(conv3, { name: 'conv2_2', channels: 128, kernel: 3, pad: 1, activation: 'relu' });
    const pool2 = maxPool(conv4, { name: 'pool2', kernel: 2 });
    return conv2d(pool2, { name: 'conv3_1', channels: 256, kernel: 3, pad: 1, activation: 'relu' });
  },
});
