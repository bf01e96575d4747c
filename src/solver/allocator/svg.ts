/**
 * A picture of an allocation: time to the right, offsets upward, a box for each buffer and window of its life. Hovering a box
 * names the buffer; labels stand where they fit. The height and the capacity are lines.
 */
import type { AllocationBuffer, AllocationProblem, Window } from './problem.js';

const PLOT_WIDTH = 1000;
const PLOT_HEIGHT = 560;
const LEFT = 80;
const TOP = 40;
const RIGHT = 40;
const BOTTOM = 40;
const FONT = 11;

interface Frame {
  readonly startTime: number;
  readonly endTime: number;
  readonly ceilingBytes: number;
}

/** @param heightBytes of the plan, for the line and the caption */
export function allocationSvg(
  problem: AllocationProblem,
  offsets: ReadonlyMap<string, number>,
  heightBytes: number,
): string {
  const placed = problem.buffers.filter((buffer) => offsets.has(buffer.id) && buffer.sizeBytes > 0);
  let startTime = Number.POSITIVE_INFINITY;
  let endTime = Number.NEGATIVE_INFINITY;
  for (const buffer of placed) {
    startTime = Math.min(startTime, buffer.lower);
    endTime = Math.max(endTime, buffer.upper);
  }
  if (startTime >= endTime) [startTime, endTime] = [0, 1];
  // A capacity far above the plan would flatten it.
  const showCapacity = problem.capacityBytes <= heightBytes * 3;
  const ceilingBytes = Math.max(heightBytes, showCapacity ? problem.capacityBytes : 0, 1);
  const frame: Frame = { startTime, endTime, ceilingBytes };
  const width = LEFT + PLOT_WIDTH + RIGHT;
  const height = TOP + PLOT_HEIGHT + BOTTOM;
  const caption = `${placed.length} buffers, height ${heightBytes} of ${problem.capacityBytes} bytes`;
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="${FONT}">`,
    `<title>${escapeText(caption)}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="${LEFT}" y="24" font-size="14">${escapeText(caption)}</text>`,
    ...axes(frame),
    ...placed.flatMap((buffer, index) => boxes(buffer, offsets.get(buffer.id) ?? 0, index, frame)),
    levelLine(frame, heightBytes, '#b00', 'height'),
    ...(showCapacity ? [levelLine(frame, problem.capacityBytes, '#000', 'capacity')] : []),
    '</svg>',
  ];
  return `${lines.join('\n')}\n`;
}

function xOf(frame: Frame, time: number): number {
  return LEFT + ((time - frame.startTime) / (frame.endTime - frame.startTime)) * PLOT_WIDTH;
}

function yOf(frame: Frame, bytes: number): number {
  return TOP + PLOT_HEIGHT - (bytes / frame.ceilingBytes) * PLOT_HEIGHT;
}

/** A hundredth of a pixel: plenty on a screen, and the file stays small. */
function round(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function axes(frame: Frame): string[] {
  const lines: string[] = [];
  for (let i = 0; i <= 4; i++) {
    const bytes = Math.round((frame.ceilingBytes * i) / 4);
    const y = round(yOf(frame, bytes));
    lines.push(`<line x1="${LEFT}" y1="${y}" x2="${LEFT + PLOT_WIDTH}" y2="${y}" stroke="#ddd"/>`);
    lines.push(`<text x="${LEFT - 6}" y="${y}" text-anchor="end" dominant-baseline="middle">${bytes}</text>`);
    const time = Math.round(frame.startTime + ((frame.endTime - frame.startTime) * i) / 4);
    const x = round(xOf(frame, time));
    lines.push(`<text x="${x}" y="${TOP + PLOT_HEIGHT + 16}" text-anchor="middle">${time}</text>`);
  }
  const x = LEFT + PLOT_WIDTH / 2;
  lines.push(`<text x="${x}" y="${TOP + PLOT_HEIGHT + 32}" text-anchor="middle">time (half-open)</text>`);
  lines.push(`<text x="${LEFT - 6}" y="${TOP - 10}" text-anchor="end">bytes</text>`);
  return lines;
}

function boxes(buffer: AllocationBuffer, offsetBytes: number, index: number, frame: Frame): string[] {
  const y = yOf(frame, offsetBytes + buffer.sizeBytes);
  const height = yOf(frame, offsetBytes) - y;
  const hue = (index * 137) % 360; // the golden angle: neighbours in the list differ in colour
  const fixed = buffer.fixedOffsetBytes === undefined ? '' : ', fixed';
  const title = `${buffer.id}: ${buffer.sizeBytes} bytes at ${offsetBytes}${fixed}, live [${buffer.lower}, ${buffer.upper})`;
  return windowsOf(buffer).map(({ lower, upper }) => {
    const x = xOf(frame, lower);
    const width = xOf(frame, upper) - x;
    const fits = height >= FONT + 1 && width >= buffer.id.length * FONT * 0.62 + 4;
    const middle = `x="${round(x + width / 2)}" y="${round(y + height / 2)}"`;
    const label = fits
      ? `<text ${middle} text-anchor="middle" dominant-baseline="central">${escapeText(buffer.id)}</text>`
      : '';
    const box = `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"`;
    const paint = `fill="hsl(${hue} 60% 78%)" stroke="#333" stroke-width="0.4"/>`;
    return `<g><title>${escapeText(title)}</title>${box} ${paint}${label}</g>`;
  });
}

/** The life without its gaps, which may touch or overlap. */
function windowsOf(buffer: AllocationBuffer): Window[] {
  const windows: Window[] = [];
  let lower = buffer.lower;
  for (const gap of [...(buffer.gaps ?? [])].sort((a, b) => a.lower - b.lower)) {
    if (gap.lower > lower) windows.push({ lower, upper: Math.min(gap.lower, buffer.upper) });
    lower = Math.max(lower, gap.upper);
  }
  if (lower < buffer.upper) windows.push({ lower, upper: buffer.upper });
  return windows.filter((window) => window.lower < window.upper);
}

function levelLine(frame: Frame, bytes: number, colour: string, name: string): string {
  const y = round(yOf(frame, bytes));
  const line = `<line x1="${LEFT}" y1="${y}" x2="${LEFT + PLOT_WIDTH}" y2="${y}" stroke="${colour}" stroke-width="1.5"/>`;
  return `<g><title>${name} ${bytes} bytes</title>${line}</g>`;
}

function escapeText(text: string): string {
  const safe = text.replace(/[^\u0020-\uD7FF\uE000-\uFFFD]/g, '?'); // control characters are not allowed in XML
  return safe.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
