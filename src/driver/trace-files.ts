/** `simulate --trace` and `--dram-trace`: what happens in prologue and period, written for other tools while it is simulated. */
import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { SpillwayError } from '../base/diagnostic.js';
import { layersOfPeriod } from '../commands/command-map.js';
import type { Manifest } from '../commands/manifest.js';
import { DramTrace, type DramTraceFormat } from '../simulator/dram-trace.js';
import type { Observer } from '../simulator/observer.js';
import { PerfettoTrace } from '../simulator/perfetto.js';
import type { ObservedSections, SimulationResult } from '../simulator/simulate.js';

export interface TraceFlags {
  readonly trace?: string;
  readonly dramTrace?: string;
  readonly dramFormat?: DramTraceFormat;
  readonly traceSections?: ObservedSections;
}

export interface DramTraceSummary {
  readonly file: string;
  readonly format: DramTraceFormat;
  readonly burstBytes: number;
  /** Of the sections that were traced. */
  readonly prologue?: TracedRequests;
  readonly period?: TracedRequests;
}

export interface TracedRequests {
  readonly requests: number;
  /** requests x burstBytes = bytes of the section + paddingBytes: what of the bursts no command asked for. */
  readonly paddingBytes: number;
}

/** Files of a compilation by name. */
type CompiledFiles = ReadonlyMap<string, string | Uint8Array>;

const CHUNK_CHARACTERS = 1 << 20;

/** A file that is written from its beginning to its end, and takes its name only when it is complete. */
class TextFile {
  private readonly partial: string;
  private readonly descriptor: number;
  private text = '';

  constructor(private readonly path: string) {
    // Devices and pipes have no place beside them.
    const isDirect = statSync(path, { throwIfNoEntry: false })?.isFile() === false;
    this.partial = isDirect ? path : `${path}.${process.pid}.partial`;
    this.descriptor = this.guarded(() => openSync(this.partial, 'w'));
  }

  write(text: string): void {
    this.text += text;
    if (this.text.length >= CHUNK_CHARACTERS) this.flush();
  }

  finish(): void {
    this.flush();
    this.guarded(() => closeSync(this.descriptor));
    if (this.partial !== this.path) this.guarded(() => renameSync(this.partial, this.path));
  }

  abandon(): void {
    closeSync(this.descriptor);
    if (this.partial !== this.path) rmSync(this.partial, { force: true });
  }

  private flush(): void {
    const bytes = Buffer.from(this.text);
    this.text = '';
    this.guarded(() => {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.descriptor, bytes, at);
    });
  }

  private guarded<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      const message = `cannot be written (${reason})`;
      throw new SpillwayError([{ code: 'SW8005', blame: 'input', message, loc: { file: this.path } }]);
    }
  }
}

/** The files that were asked for; `observer` writes them. */
export class TraceFiles {
  readonly observer: Observer | undefined;
  readonly observed: ObservedSections;
  private readonly perfetto: PerfettoTrace | undefined;
  private readonly dram: DramTrace | undefined;
  private readonly files: { trace?: TextFile; dram?: TextFile } = {};

  /**
   * @param program a directory, or its files by name
   * @throws SpillwayError SW8005 when a file cannot be written
   */
  constructor(
    private readonly flags: TraceFlags,
    private readonly manifest: Manifest,
    program: string | CompiledFiles,
  ) {
    const { dramTrace, dramFormat = 'dramsim3', trace, traceSections = 'period' } = flags;
    this.observed = traceSections;
    if (trace !== undefined) {
      this.files.trace = new TextFile(trace);
      this.perfetto = new PerfettoTrace(manifest.sramBytes, layersOf(program, manifest));
    }
    if (dramTrace !== undefined) {
      const file = new TextFile(dramTrace);
      this.files.dram = file;
      this.dram = new DramTrace(dramFormat, manifest.chip.dram.burstBytes, (text) => file.write(text));
    }
    const { perfetto, dram } = this;
    if (perfetto === undefined && dram === undefined) return;
    this.observer = {
      begins: (section, at) => {
        dram?.begins(section, at);
        perfetto?.begins(section, at);
      },
      ...(dram === undefined
        ? {}
        : {
            fetched: (start, end, time) => dram.fetched(start, end, time),
            moved: (transfer, from, to, done) => dram.moved(transfer, from, to, done),
            passed: (time) => dram.passed(time),
          }),
      ...(perfetto === undefined
        ? {}
        : {
            touched: (start, end, isWrite, time) => perfetto.touched(start, end, isWrite, time),
            completed: (command, end) => perfetto.completed(command, end),
          }),
    };
  }

  /** Completes the files. @returns what the DRAM trace holds */
  finish(result: SimulationResult): DramTraceSummary | undefined {
    const { perfetto, dram, manifest, flags, observed } = this;
    const sections = [
      ...(observed === 'period' ? [] : [{ cycles: result.prologueCycles, timeline: result.prologueTimeline }]),
      ...(observed === 'prologue' ? [] : [{ cycles: result.cycles, timeline: result.timeline }]),
    ];
    if (perfetto !== undefined) {
      const { model, chip } = manifest;
      let separator = '{"displayTimeUnit":"ns","traceEvents":[\n';
      for (const event of perfetto.events(`${model} on ${chip.name}`, chip.clockHz, sections)) {
        this.files.trace?.write(`${separator}${JSON.stringify(event)}`);
        separator = ',\n';
      }
      this.files.trace?.write('\n]}\n');
      this.files.trace?.finish();
    }
    if (dram === undefined || flags.dramTrace === undefined) return undefined;
    dram.finish();
    this.files.dram?.finish();
    const { burstBytes } = manifest.chip.dram;
    const counted = (requests: number, bytes: number): TracedRequests => ({
      requests,
      paddingBytes: requests * burstBytes - bytes,
    });
    const { prologue, period } = dram.requests;
    return {
      file: flags.dramTrace,
      format: flags.dramFormat ?? 'dramsim3',
      burstBytes,
      ...(observed === 'period'
        ? {}
        : { prologue: counted(prologue, result.prologueReadBytes + result.prologueWriteBytes) }),
      ...(observed === 'prologue' ? {} : { period: counted(period, result.dramReadBytes + result.dramWriteBytes) }),
    };
  }

  /** Nothing is left of files that were begun. */
  abandon(): void {
    this.files.trace?.abandon();
    this.files.dram?.abandon();
  }
}

const MAP_FILE = 'program.map.json';

/** Undefined where it was compiled without: slices carry the names of commands. */
function layersOf(program: string | CompiledFiles, manifest: Manifest): readonly string[] | undefined {
  const text = typeof program === 'string' ? textOf(join(program, MAP_FILE)) : program.get(MAP_FILE);
  return typeof text === 'string' ? layersOfPeriod(text, manifest.hashes['program.bin']) : undefined;
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
