/**
 * YOLOv3: Redmon and Farhadi, "YOLOv3: An Incremental Improvement", 2018; layer by layer as in cfg/yolov3.cfg of darknet.
 *
 * Darknet-53 without its classifier, then three detection heads over a feature pyramid. The outputs are the raw maps of
 * the heads (255 = 3 anchors x (4 box + 1 object + 80 class) channels); decoding the boxes is left to the host. Batch norm
 * is folded into the convolutions. 61.9 M weights.
 *
 *   --param size=608                          a square image
 *   --param width=1920 --param height=1088    any multiples of 32
 */
import { add, concat, conv2d, input, model, type Tensor, upsample } from 'spillway/model';

/** Residual units at each scale of Darknet-53. */
const STAGES = [
  { channels: 64, units: 1 },
  { channels: 128, units: 2 },
  { channels: 256, units: 8 },
  { channels: 512, units: 8 },
  { channels: 1024, units: 4 },
];

const ANCHORS_PER_CELL = 3;

/** Every convolution but the last of a head: batch norm, leaky ReLU with darknet's slope, `same` padding. */
function conv(x: Tensor, name: string, channels: number, kernel: 1 | 3, stride = 1): Tensor {
  const pad = kernel === 3 ? 1 : 0;
  return conv2d(x, { name, channels, kernel, stride, pad, activation: 'leakyRelu', alpha: 0.1 });
}

/** One scale: halve the image, then units of 1x1, 3x3 and a shortcut. */
function stage(x: Tensor, name: string, channels: number, units: number): Tensor {
  let y = conv(x, `${name}.down`, channels, 3, 2);
  for (let unit = 0; unit < units; unit++) {
    const narrow = conv(y, `${name}.unit${unit}.conv1`, channels / 2, 1);
    const wide = conv(narrow, `${name}.unit${unit}.conv2`, channels, 3);
    y = add(y, wide, { name: `${name}.unit${unit}.add` });
  }
  return y;
}

/** Five convolutions; the fifth also feeds the next finer scale. */
function neck(x: Tensor, name: string, channels: number): Tensor {
  let y = x;
  for (let i = 0; i < 5; i++) {
    y = i % 2 === 0 ? conv(y, `${name}.conv${i}`, channels, 1) : conv(y, `${name}.conv${i}`, 2 * channels, 3);
  }
  return y;
}

function head(x: Tensor, name: string, classes: number): Tensor {
  const wide = conv(x, `${name}.conv5`, 2 * x.channels, 3);
  return conv2d(wide, { name: `${name}.detect`, channels: ANCHORS_PER_CELL * (5 + classes), kernel: 1 });
}

/** The coarser scale, twice as large, beside a map of the backbone. */
function join(coarse: Tensor, fine: Tensor, name: string): Tensor {
  const lateral = conv(coarse, `${name}.lateral`, coarse.channels / 2, 1);
  return concat([upsample(lateral, { name: `${name}.upsample`, scale: 2 }), fine], { name: `${name}.route` });
}

export default model({
  name: 'yolov3',
  params: {
    size: { default: 416, min: 32, max: 8192, multipleOf: 32 },
    // 0: as size.
    width: { default: 0, min: 0, max: 8192, multipleOf: 32 },
    height: { default: 0, min: 0, max: 8192, multipleOf: 32 },
    classes: { default: 80, min: 1 },
    batch: { default: 1, min: 1 },
  },
  build: ({ size, width, height, classes }) => {
    const image = input({ name: 'image', height: height || size, width: width || size, channels: 3 });
    let x = conv(image, 'stem', 32, 3);
    const scales = STAGES.map(({ channels, units }, index) => {
      x = stage(x, `stage${index + 1}`, channels, units);
      return x;
    });
    const [, , fine, medium, coarse] = scales as [Tensor, Tensor, Tensor, Tensor, Tensor];
    const neck13 = neck(coarse, 'large', 512);
    const neck26 = neck(join(neck13, medium, 'medium'), 'medium', 256);
    const neck52 = neck(join(neck26, fine, 'small'), 'small', 128);
    return [head(neck13, 'large', classes), head(neck26, 'medium', classes), head(neck52, 'small', classes)];
  },
});
