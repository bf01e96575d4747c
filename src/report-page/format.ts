/** Numbers in words: MB are 1e6 bytes, MiB 2^20, as in report.txt. */

/** Narrow no-break spaces between thousands. */
export function integer(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** Four digits, in the smallest of the units in which there are at most three before the point. */
function inUnits(value: number, units: readonly (readonly [name: string, scale: number])[]): string {
  const [name, scale] = units.find((unit) => value / unit[1] < 999.95) ?? units.at(-1) ?? ['', 1];
  return `${fixed(value / scale)} ${name}`;
}

/** Traffic and sizes of tensors, in decimal units, 4 digits. */
export function decimalBytes(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  return inUnits(bytes, [
    ['kB', 1e3],
    ['MB', 1e6],
    ['GB', 1e9],
    ['TB', 1e12],
  ]);
}

/** Sizes of memories, in binary units. */
export function binaryBytes(bytes: number): string {
  if (bytes < 1024) return `${Math.round(bytes)} B`;
  if (bytes < 1024 * 1024) return `${trimmed(bytes / 1024)} KiB`;
  return `${trimmed(bytes / 1024 / 1024)} MiB`;
}

export function exactBytes(bytes: number): string {
  return `${integer(bytes)} B`;
}

export function percent(share: number): string {
  const value = share * 100;
  if (value > 0 && value < 0.001) return '< 0.001 %';
  return `${value === 0 || value >= 99.95 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toPrecision(2)} %`;
}

export function hex(address: number): string {
  return `0x${address.toString(16)}`;
}

export function seconds(value: number): string {
  if (value >= 1) return `${fixed(value)} s`;
  if (value >= 1e-3) return `${fixed(value * 1e3)} ms`;
  return `${fixed(value * 1e6)} \u00b5s`;
}

export function joules(picojoules: number): string {
  return inUnits(picojoules, [
    ['nJ', 1e3],
    ['\u00b5J', 1e6],
    ['mJ', 1e9],
    ['J', 1e12],
  ]);
}

/** Four digits. */
export function fixed(value: number): string {
  if (value >= 1000) return integer(value);
  return value.toFixed(value >= 100 ? 1 : value >= 10 ? 2 : 3);
}

function trimmed(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2).replace(/\.?0+$/, '');
}

export function count(n: number, noun: string): string {
  return `${integer(n)} ${noun}${n === 1 ? '' : 's'}`;
}

/** "steps 3 to 7", of a half-open range. */
export function steps(startStep: number, endStep: number): string {
  return endStep - startStep === 1 ? `step ${startStep}` : `steps ${startStep} to ${endStep - 1}`;
}

/** For an axis: no zeros after the point. */
export function tick(text: string): string {
  return text.replace(/(\.\d*?)0+(?= |$)/, '$1').replace(/\.(?= |$)/, '');
}

/** Multiply-accumulates. */
export function macs(value: number): string {
  if (value >= 1e9) return `${fixed(value / 1e9)} GMAC`;
  return value >= 1e6 ? `${fixed(value / 1e6)} MMAC` : `${fixed(value / 1e3)} kMAC`;
}
