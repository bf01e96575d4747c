/** One step of a field: added per iteration of the loop at `level`; see the head of instructions.ts. */
export interface FieldStep {
  readonly field: string;
  readonly level: number; // 0 is the outermost loop
  readonly delta: number; // signed
  readonly modulus: number; // 0: none
}

/** A command as the emitter makes it and the decoder returns it. Fields that are absent are 0. */
export interface Command {
  readonly op: string; // a name of INSTRUCTIONS
  readonly fields: Readonly<Record<string, number>>;
  readonly steps?: readonly FieldStep[];
  /** What it was emitted for, for whoever shows it; the encoded stream does not hold it. */
  readonly layer?: string;
  /** The first step of the layer or block that it was emitted for. */
  readonly step?: number;
}

/** A command stream: the prologue ends with `endPrologue`, the period with `endPeriod`. */
export interface CommandStream {
  readonly prologue: readonly Command[];
  readonly period: readonly Command[];
}
