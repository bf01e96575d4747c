/** Bottlenecks with shortcuts, as many as asked for: three layers each, whose additions are fused. */
import { add, conv2d, input, model } from 'spillway/model';

export default model({
  name: 'residual',
  params: { blocks: { default: 330, min: 1, max: 2000 }, size: 28, channels: 256 },
  build: ({ blocks, size, channels }) => {
    let x = input({ name: 'image', height: size, width: size, channels });
    for (let i = 0; i < blocks; i++) {
      const reduced = conv2d(x, { name: `reduce${i}`, channels: channels / 4, kernel: 1, activation: 'relu' });
      const middle = conv2d(reduced, {
        name: `middle${i}`,
        channels: channels / 4,
        kernel: 3,
        pad: 'same',
        activation: 'relu',
      });
      const expanded = conv2d(middle, { name: `expand${i}`, channels, kernel: 1 });
      x = add(expanded, x, { name: `add${i}`, activation: 'relu' });
    }
    return x;
  },
});
