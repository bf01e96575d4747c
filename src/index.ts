/**
 * Spillway as a library.
 *
 * ```ts
 * import { compile, simulate } from 'spillway';
 *
 * const compiled = await compile({ model: 'net.onnx', target: 'chip-a' });
 * console.log(compiled.report.perFrameBytes);
 * const { cycles, matchesReference } = await simulate(compiled);
 * ```
 *
 * Whatever is at fault in a model, a chip file or an input is thrown as a {@link SpillwayError} with diagnostics. Units are in
 * the names: `Bytes` are bytes, `Cycles` clock cycles of the chip.
 *
 * @packageDocumentation
 */
export { type Blame, type Diagnostic, formatDiagnostic, type SourceLoc, SpillwayError } from './base/diagnostic.js';
export type { Manifest, ManifestPort } from './commands/manifest.js';
export { diffReports, type ReportDiff } from './driver/diff.js';
export {
  type Compilation,
  type CompileRequest,
  compile,
  type Inspected,
  type InspectRequest,
  inspect,
  type SimulateOptions,
  type Simulation,
  simulate,
  type WhatIf,
  whatIf,
} from './driver/library.js';
export type { LayerReport, Report, TensorReport } from './driver/report.js';
export type { Answer } from './driver/what-if.js';
export type { Program } from './ir/types.js';
export type { Fault, FaultKind } from './simulator/faults.js';
export type { GivenData, PortData } from './simulator/ports.js';
export type { SimulatedOutput, SimulationResult } from './simulator/simulate.js';
export type { SearchControl } from './solver/control.js';
export { type Chip, listChips, loadChip, parseChip } from './target/chip.js';
