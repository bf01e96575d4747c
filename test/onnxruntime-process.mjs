// Runs models in onnxruntime, one per message. A process of its own: the native module and jest's sandbox have different
// Float32Array constructors, and each refuses the other's.
import ort from 'onnxruntime-node';

process.on('message', async ({ id, model, feeds }) => {
  try {
    const session = await ort.InferenceSession.create(model, {
      graphOptimizationLevel: 'disabled',
      logSeverityLevel: 3,
    });
    const tensors = Object.fromEntries(
      feeds.map(({ name, dims, data }) => [name, new ort.Tensor('float32', data, dims)]),
    );
    const results = await session.run(tensors);
    const outputs = Object.entries(results).map(([name, { dims, data }]) => ({ name, dims: [...dims], data }));
    process.send({ id, outputs });
  } catch (error) {
    process.send({ id, failure: String(error) });
  }
});
