/**
 * FSRCNN as the DeFiNES paper schedules it: Mei et al., "DeFiNES: Enabling Fast Exploration of the Depth-first Scheduling
 * Space for DNN Accelerators through Analytical Modeling", HPCA 2023; the workload file `workload_fsrcnn.py` of its
 * repository gives every number below. The network is Dong et al., "Accelerating the Super-Resolution Convolutional Neural
 * Network", ECCV 2016, with d = 56, s = 12, m = 4.
 *
 * Three things to know about the numbers:
 * - 960x540 is the image that the last layer writes. No layer pads, so the input is larger by what the kernels take away:
 *   5x5 takes 4, each of five 3x3 takes 2, together 14: 974x554, one channel (luma).
 * - The 9x9 deconvolution at the end is a 3x3 convolution to 16 channels: the 4x4 output pixels of one input pixel, before
 *   they are put in their places.
 * - Input 539596 + output 8294400 + weights 15992 = 8849988 bytes in int8: the paper's 8.85 MB.
 *
 * The workload file has no activation functions. Here they are the PReLU of Dong et al., a leaky ReLU with a trained slope.
 */
import { conv2d, input, model } from 'spillway/model';

const LAYERS = [
  { name: 'feature', channels: 56, kernel: 5 },
  { name: 'shrink', channels: 12, kernel: 1 },
  { name: 'map1', channels: 12, kernel: 3 },
  { name: 'map2', channels: 12, kernel: 3 },
  { name: 'map3', channels: 12, kernel: 3 },
  { name: 'map4', channels: 12, kernel: 3 },
  { name: 'expand', channels: 56, kernel: 1 },
];

/** The slope of PReLU before training (He et al. 2015). */
const PRELU_SLOPE = 0.25;

export default model({
  name: 'fsrcnn',
  params: {
    /** Of the map that the last layer writes. */
    width: { default: 960, min: 1 },
    height: { default: 540, min: 1 },
    /** Enlargement: the last layer has scale * scale channels. */
    scale: { default: 4, min: 2, max: 4 },
    batch: { default: 1, min: 1 },
  },
  build: ({ width, height, scale }) => {
    const deconvolutionKernel = 3;
    const margin = LAYERS.reduce((sum, { kernel }) => sum + kernel - 1, deconvolutionKernel - 1);
    let x = input({ name: 'luma', height: height + margin, width: width + margin, channels: 1 });
    for (const { name, channels, kernel } of LAYERS) {
      x = conv2d(x, { name, channels, kernel, pad: 'valid', activation: 'leakyRelu', alpha: PRELU_SLOPE });
    }
    return conv2d(x, { name: 'deconvolution', channels: scale * scale, kernel: deconvolutionKernel, pad: 'valid' });
  },
});
