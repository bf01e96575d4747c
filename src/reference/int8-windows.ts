/** The windows of 8-bit convolutions, cut from an image with its padding around it. */
import type { WindowGeometry } from './image.js';
import type { Int8Products } from './int8-products.js';

/** What windows can reach: the image, and beyond it the zero point. */
export interface PaddedImage {
  readonly bytes: Int8Array | Uint8Array; // [rows, width, C]
  readonly width: number;
  readonly zeroPoint: number;
}

export function paddedImage(geometry: WindowGeometry, x: Int8Array | Uint8Array, zeroPoint: number): PaddedImage {
  const { inH, inW, inC, outH, outW, window } = geometry;
  const { kernel, stride, dilation, pad } = window;
  const height = (outH - 1) * stride[0] + (kernel[0] - 1) * dilation[0] + 1;
  const width = (outW - 1) * stride[1] + (kernel[1] - 1) * dilation[1] + 1;
  if (height === inH && width === inW && pad.top === 0 && pad.left === 0) return { bytes: x, width, zeroPoint };
  const bytes = x instanceof Int8Array ? new Int8Array(height * width * inC) : new Uint8Array(height * width * inC);
  bytes.fill(zeroPoint);
  const [left, right] = [Math.max(0, pad.left), Math.min(width, pad.left + inW)];
  for (let row = Math.max(0, pad.top); row < Math.min(height, pad.top + inH) && left < right; row++) {
    const from = ((row - pad.top) * inW + left - pad.left) * inC;
    bytes.set(x.subarray(from, from + (right - left) * inC), (row * width + left) * inC);
  }
  return { bytes, width, zeroPoint };
}

/** Windows of `count` output pixels as rows of the products' patches, less the zero point, in the order KH, KW, C. */
export function gatherWindows(
  geometry: WindowGeometry,
  image: PaddedImage,
  groups: number,
  group: number,
  firstPixel: number,
  count: number,
  products: Int8Products,
): void {
  const { inC, outW } = geometry;
  const { kernel, stride, dilation } = geometry.window;
  const channels = inC / groups;
  const { rowElements } = products;
  // Taps that lie side by side in the image are taken in one run.
  const taps = channels === inC && dilation[1] === 1 ? kernel[1] : 1;
  for (let done = 0; done < count; ) {
    const [row, column] = [Math.floor((firstPixel + done) / outW), (firstPixel + done) % outW];
    const pixels = Math.min(count - done, outW - column);
    for (let ky = 0; ky < kernel[0]; ky++) {
      for (let kx = 0; kx < kernel[1]; kx += taps) {
        const pixel = (row * stride[0] + ky * dilation[0]) * image.width + column * stride[1] + kx * dilation[1];
        const from = pixel * inC + group * channels;
        const to = done * rowElements + (ky * kernel[1] + kx) * channels;
        products.gather(from, to, pixels, stride[1] * inC, taps * channels, image.zeroPoint);
      }
    }
    done += pixels;
  }
}
