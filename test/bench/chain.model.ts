/** A chain of convolutions as long as asked for: how compile time grows with the number of layers. */
import { conv2d, input, model } from 'spillway/model';

export default model({
  name: 'chain',
  params: { layers: { default: 250, min: 1, max: 5000 }, size: 28, channels: 32 },
  build: ({ layers, size, channels }) => {
    let x = input({ name: 'image', height: size, width: size, channels });
    for (let i = 0; i < layers; i++) {
      x = conv2d(x, { name: `conv${i}`, channels, kernel: 3, pad: 'same', activation: 'relu' });
    }
    return x;
  },
});
