/**
 * A network small enough to follow by hand: a residual block, a concatenation, a classifier. The documentation uses it.
 */
import { add, concat, conv2d, dense, flatten, globalAvgPool, input, maxPool, model } from 'spillway/model';

export default model({
  name: 'tiny',
  params: { size: 16, batch: 1 },
  build: ({ size }) => {
    const image = input({ name: 'image', height: size, width: size, channels: 3 });
    const stem = conv2d(image, { name: 'stem', channels: 8, kernel: 3, pad: 'same', activation: 'relu' });

    // The residual block: stem is read twice, and has to be kept until the addition.
    const body = conv2d(stem, { name: 'body', channels: 8, kernel: 3, pad: 'same' });
    const sum = add(stem, body, { name: 'sum', activation: 'relu' });

    // Two ways to halve the image, side by side in the channels.
    const pooled = maxPool(sum, { name: 'pooled', kernel: 2 });
    const strided = conv2d(sum, { name: 'strided', channels: 8, kernel: 3, stride: 2, pad: 1 });
    const both = concat([pooled, strided], { name: 'both' });

    const features = flatten(globalAvgPool(both, { name: 'mean' }), { name: 'features' });
    return dense(features, { name: 'classes', channels: 10 });
  },
});
