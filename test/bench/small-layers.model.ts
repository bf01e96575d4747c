/** Small layers on vectors, three in each round when fused: two matrices, of which one is a gate, their product, and a sum that skips them. */
import { add, dense, input, model, mul, sigmoid } from 'spillway/model';

export default model({
  name: 'small-layers',
  params: { rounds: { default: 334, min: 1, max: 2000 }, channels: 128 },
  build: ({ rounds, channels }) => {
    let x = input({ name: 'features', channels });
    for (let i = 0; i < rounds; i++) {
      const values = dense(x, { name: `values${i}`, channels });
      const gate = sigmoid(dense(x, { name: `gate${i}`, channels }), { name: `open${i}` });
      x = add(mul(values, gate, { name: `gated${i}` }), x, { name: `sum${i}` });
    }
    return x;
  },
});
