/** The compiled functions on one memory, which holds SRAM from address 0 on and room for work behind it. */
import { moduleBytes } from '../../../base/wasm.js';
import {
  addRealsFunction,
  addTablesFunction,
  limitBytesFunction,
  lookUpFunction,
  maximumFunction,
} from './bytes-code.js';
import { copyRunsFunction, depthwiseFunction, multiplyFunction, widenFunction } from './products-code.js';
import { decodeRecordsFunction, REQUANTIZE, type Rounding, requantizeFunction } from './rescale-code.js';

type Run = (...parameters: number[]) => void;

export interface Engine {
  readonly memory: WebAssembly.Memory;
  readonly bytes: Uint8Array; // all of it
  /** Where the room for work begins, a multiple of 16, and how large it is. */
  readonly scratch: number;
  readonly scratchBytes: number;
  /** Bytes of gathered input that are worked on at once. */
  readonly workBytes: number;
  readonly widen: Run;
  readonly copyRuns: Run;
  readonly multiply: Run;
  readonly depthwise: Run;
  readonly decodeRecords: Run;
  readonly requantize: Readonly<Record<Rounding, Run>>;
  readonly maximum: Run;
  readonly limitBytes: Run;
  readonly lookUp: Run;
  readonly addTables: Run;
  readonly addReals: Run;
}

/** Room for work: windows, sums, parameters. What needs more is left to the plain kernels. */
const SCRATCH_BYTES = 16 << 20;

/** They should stay in the cache. */
const WORK_BYTES = 1 << 18;

const PAGE_BYTES = 65536;

/** Beyond this, addresses of WebAssembly end. */
const MOST_BYTES = 3 * 2 ** 30;

let compiled: WebAssembly.Module | undefined;

/** @returns undefined when SRAM is too large for the memory of WebAssembly */
export function makeEngine(sramBytes: number): Engine | undefined {
  const scratch = Math.ceil(sramBytes / 16) * 16;
  if (scratch + SCRATCH_BYTES > MOST_BYTES) return undefined;
  compiled ??= new WebAssembly.Module(
    moduleBytes([
      widenFunction(),
      copyRunsFunction(),
      multiplyFunction(),
      depthwiseFunction(),
      decodeRecordsFunction(),
      requantizeFunction('twice'),
      requantizeFunction('once'),
      requantizeFunction('real'),
      maximumFunction(),
      limitBytesFunction(),
      lookUpFunction(),
      addTablesFunction(),
      addRealsFunction(),
    ]),
  );
  const memory = new WebAssembly.Memory({ initial: Math.ceil((scratch + SCRATCH_BYTES) / PAGE_BYTES) });
  const { exports } = new WebAssembly.Instance(compiled, { e: { m: memory } });
  const exported = (name: string): Run => {
    const found = exports[name];
    if (!isRun(found)) throw new Error(`the module does not export ${name}`);
    return found;
  };
  return {
    memory,
    bytes: new Uint8Array(memory.buffer),
    scratch,
    scratchBytes: SCRATCH_BYTES,
    workBytes: WORK_BYTES,
    widen: exported('widen'),
    copyRuns: exported('copyRuns'),
    multiply: exported('multiply'),
    depthwise: exported('depthwise'),
    decodeRecords: exported('decodeRecords'),
    requantize: {
      twice: exported(REQUANTIZE.twice),
      once: exported(REQUANTIZE.once),
      real: exported(REQUANTIZE.real),
    },
    maximum: exported('maximum'),
    limitBytes: exported('limitBytes'),
    lookUp: exported('lookUp'),
    addTables: exported('addTables'),
    addReals: exported('addReals'),
  };
}

function isRun(value: unknown): value is Run {
  return typeof value === 'function';
}
