import { basename } from 'node:path';

/** `resnet50` of `examples/resnet50.model.ts`. */
export function modelStem(path: string): string {
  return basename(path).replace(/\.(model\.ts|onnx|tflite)$/, '');
}
