// Runs models in onnxruntime, one per message. A process of its own: the native module and jest's sandbox have different
// Float32Array constructors, and each refuses the other's.
import ort from 'onnxruntime-node';

process.on('message', async ({ id, model, feeds, level }) => {
  try {
    const session = await ort.InferenceSession.create(model, {
      graphOptimizationLevel: level,
      logSeverityLevel: 3,
      // Without it sums of uint8 times int8 saturate at 16 bits on older x86 machines.
      extra: { session: { x64quantprecision: '1' } },
    });
    const tensors = Object.fromEntries(
      feeds.map(({ name, dims, data, type = 'float32' }) => [
        name,
        new ort.Tensor(type, type === 'int64' ? BigInt64Array.from(data, (v) => BigInt(v)) : data, dims),
      ]),
    );
    const results = await session.run(tensors);
    const outputs = Object.entries(results).map(([name, { dims, data }]) => ({
      name,
      dims: [...dims],
      data: Float32Array.from(data, Number),
    }));
    process.send({ id, outputs });
  } catch (error) {
    process.send({ id, failure: String(error) });
  }
});
