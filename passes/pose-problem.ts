import { sizeBytes, tensorOf } from '../src/ir/facts.js';
import type { Op, Program, TensorId } from '../src/ir/types.js';
import { computeWork } from '../src/schedule/compute-work.js';
import { type Layer, layersOf } from '../src/schedule/layer.js';
import {
  alignUp,
  RESIDENT_ALIGNMENT_BYTES,
  type Tiling,
  periodWeightPasses as weightPasses,
} from '../src/schedule/tiling.js';
import { weightsName } from '../src/schedule/weights-name.js';
import { undominatedSpans } from '../src/solver/placement/dominance.js';
import { type ForcedHome, withForcedHomes, withForcedWeights } from '../src/solver/placement/forced.js';
import type { ItemUse, PlacementItem, PlacementProblem, PlacementStep, Span } from '../src/solver/placement/problem.js';
import type { Chip } from '../src/target/chip.js';
import type { BlockCandidate } from './block-candidates.js';
import { statesOf } from './carry-states.js';
import { formBlocks } from './form-blocks.js';
import { OrderlessMemo } from './known-runs.js';
import type { PlaceOptions } from './place-options.js';
import { enumerateTilings, type TileOptions, type TilingChoice } from './tile.js';

/** The problem that a program poses, with what is needed to read the answer. */
export interface PosedProblem {
  readonly problem: PlacementProblem;
  readonly layers: readonly Layer[];
  readonly choices: readonly (readonly TilingChoice[])[];
  readonly blocks: readonly BlockCandidate[]; // by span
  readonly roots: readonly TensorId[]; // by item
}

/** Layers to steps, roots to items, tilings to choices. Cost: linear in layers times tilings. */
export function poseProblem(
  program: Program,
  options: Pick<PlaceOptions, 'capacityBytes' | 'alignmentBytes' | 'blocks' | 'parts' | 'resident' | 'batch'> & {
    readonly chip?: Chip;
    readonly statesInSram?: boolean;
    readonly pieces?: boolean;
    readonly leastRoom?: boolean; // see FormOptions
    readonly isForTime?: boolean; // see PlacementProblem
    readonly forced?: ReadonlyMap<string, ForcedHome>;
  },
): PosedProblem {
  const layers = layersOf(program);
  const states = statesOf(program);
  const isPinned = options.statesInSram === true && states.length > 0;
  // What is in SRAM for ever is no matter of homes: it is always there, and its room is not there for others.
  const pinnedInputs = new Set(isPinned ? states.map(({ input }) => input) : []);
  const pinnedOutputs = new Set(isPinned ? states.map(({ output }) => output) : []);
  const roots: TensorId[] = [];
  const itemOf = new Map<TensorId, number>();
  const register = (root: TensorId): number => {
    const known = itemOf.get(root);
    if (known !== undefined) return known;
    itemOf.set(root, roots.length);
    return roots.push(root) - 1;
  };
  for (const layer of layers) {
    for (const operand of layer.operands) if (!pinnedInputs.has(operand.root)) register(operand.root);
    register(layer.output.root);
  }
  const outputRoots = new Set(program.outputs.map((id) => tensorOf(program, id).storage?.root ?? id));
  const items: PlacementItem[] = roots.map((root) => {
    const tensor = tensorOf(program, root);
    const bytes = pinnedOutputs.has(root) ? 0 : sizeBytes(tensor);
    return {
      name: tensor.name,
      sramBytes: alignUp(bytes, options.alignmentBytes) * options.batch,
      dramBytes: bytes * options.batch,
      startsInDram: program.inputs.includes(root) || program.constants.has(root),
      endsInDram: outputRoots.has(root) && !pinnedOutputs.has(root),
    };
  });
  const forcedWeights = forcedWeightsOf(layers, options.forced);
  const isKept = (t: number): boolean => forcedWeights.get(t) === 'sram';
  const tilings = tilingsOf(program, layers, options);
  const choices = layers.map((layer, t) =>
    (tilings[t] ?? []).filter(
      ({ tiling }) =>
        !(isKept(t) && isReadAgain(tiling)) &&
        layer.operands.every(({ root }, i) => !pinnedInputs.has(root) || tiling.operandsFromSram[i] === true) &&
        (!pinnedOutputs.has(layer.output.root) || tiling.toSram),
    ),
  );
  const steps = layers.map((layer, t): PlacementStep => {
    const uses: ItemUse[] = [];
    for (const operand of layer.operands) {
      if (pinnedInputs.has(operand.root)) continue;
      const item = register(operand.root);
      if (!uses.some((use) => use.item === item)) uses.push({ item, inPlace: operand.canBeOverwritten });
    }
    return {
      name: layer.op.name,
      uses,
      output: register(layer.output.root),
      outputDramBytes: pinnedOutputs.has(layer.output.root)
        ? 0
        : layer.output.h * layer.output.w * layer.output.c * layer.output.elementBytes * options.batch,
      weightBytes: layer.weights.totalBytes,
      ...(options.chip === undefined
        ? {}
        : { computeCycles: computeWork(layer, 1, 0, undefined, options.chip).cycles * options.batch }),
      choices: (choices[t] ?? []).map((choice) => ({
        usesFromSram: uses.map(
          (use) => choice.tiling.operandsFromSram[layer.operands.findIndex((o) => o.root === roots[use.item])] === true,
        ),
        toSram: choice.tiling.toSram && !pinnedOutputs.has(layer.output.root), // its room is not the problem's
        workspaceBytes: choice.workspaceBytes,
        heldWeightBytes: choice.heldWeightBytes,
        weightPasses: weightPasses(choice.tiling, choice.weightPasses, options.batch),
        residency: options.resident === false ? 'none' : residencyOf(layer, choice),
        // Tables are read once, however often the weights behind them are.
        trafficBytes: choice.trafficBytes * options.batch - rereadTableBytes(layer, choice, options.batch),
        rereadTableBytes: rereadTableBytes(layer, choice, options.batch),
        extraCycles: choice.extraCycles * options.batch,
      })),
    };
  });
  // The odd ends of resident shares come off the capacity once.
  const oddEnds = layers.filter((layer) => layer.weights.totalBytes % RESIDENT_ALIGNMENT_BYTES !== 0).length;
  const oddBytes = alignUp(oddEnds * RESIDENT_ALIGNMENT_BYTES, options.alignmentBytes);
  const capacityBytes = options.capacityBytes - oddBytes - takenBytes(program, layers, options);
  const canEvict = options.parts && options.batch === 1;
  const stateOutputs = new Set(states.map(({ output }) => output));
  // Blocks are formed with all of their weights held; those that are there anyway come off later.
  const forBlocks = { ...options, canEvict, capacityBytes: capacityBytes + keptWeightBytes(layers, options) };
  const formed = options.blocks ? formBlocks(program, layers, forBlocks) : [];
  const blocks = formed.filter(
    ({ inputs, outputs, form }) =>
      ![...form.streamed.keys()].some(isKept) &&
      !outputs.some((root) => stateOutputs.has(root)) &&
      inputs.every((root) => !pinnedInputs.has(root) || form.inSram.has(root)),
  );
  const residency = options.resident === false ? { residency: 'none' as const } : {};
  const { alignmentBytes } = options;
  const maker = new SpanMaker(register, options.batch, pinnedInputs, residency);
  const free = blocks.map((block) => maker.spanOf(block));
  const forced = new Map(
    items.flatMap(({ name }, item) => {
      const home = options.forced?.get(name);
      return home === undefined ? [] : [[item, home] as const];
    }),
  );
  const { chip } = options;
  const speed = chip === undefined ? {} : { bytesPerCycle: chip.dram.bytesPerSecond / chip.clockHz };
  const problem = withForcedWeights(
    withForcedHomes(
      {
        capacityBytes,
        items,
        steps,
        spans: free,
        canEvict,
        alignmentBytes,
        isForTime: options.isForTime === true,
        ...speed,
      },
      forced,
    ),
    forcedWeights,
  );
  const { spans } = problem;
  const kept = undominatedSpans(problem);
  const blockOf = new Map(spans.map((span, index) => [span, blocks[index]]));
  const keptBlocks = kept.flatMap((span) => blockOf.get(span) ?? []);
  return { problem: { ...problem, spans: kept }, layers, choices, blocks: keptBlocks, roots };
}

/** By program and options, and by op: the ways to run a layer do not depend on its step. */
const KNOWN_TILINGS = new OrderlessMemo(() => new Map<Op, readonly TilingChoice[]>());

function tilingsOf(program: Program, layers: readonly Layer[], options: TileOptions): (readonly TilingChoice[])[] {
  const { capacityBytes, alignmentBytes, narrowest, chip, isForTime } = options;
  const known = KNOWN_TILINGS.of(program, JSON.stringify([capacityBytes, alignmentBytes, narrowest, chip, isForTime]));
  return layers.map((layer) => {
    const tilings = known.get(layer.op) ?? enumerateTilings(layer, options);
    known.set(layer.op, tilings);
    return tilings;
  });
}

/** The problem of a program is asked for again when a plan could not be packed: what is cut off is no part of it. */
const lastPosed = new WeakMap<Program, { readonly key: string; readonly posed: PosedProblem }>();

export function posedOnce(program: Program, options: PlaceOptions): PosedProblem {
  const { capacityBytes, alignmentBytes, batch, blocks, parts, pieces, resident, chip, statesInSram } = options;
  const isForTime = options.timedRank !== undefined;
  const key = JSON.stringify([
    [capacityBytes, alignmentBytes, batch, blocks, parts, pieces, resident, statesInSram, isForTime],
    [...(options.forced ?? [])],
    chip,
  ]);
  const last = lastPosed.get(program);
  if (last?.key === key) return last.posed;
  const posed = poseProblem(program, { ...options, isForTime });
  lastPosed.set(program, { key, posed });
  return posed;
}

/** The problem of an order that is out of the question takes hundreds of megabytes in a large program. */
export function forgetPosed(program: Program): void {
  lastPosed.delete(program);
}

type TakenOptions = Pick<PlaceOptions, 'statesInSram' | 'alignmentBytes' | 'forced'>;

/** SRAM that is never free for anything else, because states or weights that have to be resident are there. */
export function takenBytes(program: Program, layers: readonly Layer[], options: TakenOptions): number {
  return stateBytes(program, options) + keptWeightBytes(layers, options);
}

function stateBytes(program: Program, { statesInSram, alignmentBytes }: TakenOptions): number {
  if (statesInSram !== true) return 0;
  return statesOf(program).reduce(
    (sum, { input }) => sum + alignUp(sizeBytes(tensorOf(program, input)), alignmentBytes),
    0,
  );
}

export function keptWeightBytes(layers: readonly Layer[], { forced, alignmentBytes }: TakenOptions): number {
  let bytes = 0;
  for (const [t, home] of forcedWeightsOf(layers, forced))
    if (home === 'sram') bytes += alignUp(layers[t]?.weights.totalBytes ?? 0, RESIDENT_ALIGNMENT_BYTES);
  return alignUp(bytes, alignmentBytes);
}

/** Layers whose weights have to be resident, or must not be, by step. */
export function forcedWeightsOf(layers: readonly Layer[], forced: PlaceOptions['forced']): Map<number, ForcedHome> {
  const homes = new Map<number, ForcedHome>();
  layers.forEach((layer, t) => {
    const home = forced?.get(weightsName(layer.op.name));
    if (home !== undefined && layer.weights.totalBytes > 0) homes.set(t, home);
  });
  return homes;
}

function rereadTableBytes(layer: Layer, choice: TilingChoice, batch: number): number {
  return Math.max(0, weightPasses(choice.tiling, choice.weightPasses, batch) - 1) * layer.weights.headerBytes;
}

/** Passes over the activations depend on what is streamed: no share of the weights can be resident. */
function isReadAgain({ weights, outer }: Tiling): boolean {
  return weights === 'streamed' && outer === 'channels';
}

function residencyOf(layer: Layer, choice: TilingChoice): 'any' | 'none' {
  if (isReadAgain(choice.tiling)) return 'none';
  return layer.weights.totalBytes === 0 ? 'none' : 'any';
}

/** Spans of blocks; those of one block follow each other, and have equal uses where the homes are the same. */
class SpanMaker {
  private inSram: ReadonlySet<TensorId> = new Set();
  private uses: Span['uses'] = [];

  constructor(
    private readonly itemOf: (root: TensorId) => number,
    private readonly batch: number,
    private readonly pinned: ReadonlySet<TensorId>,
    private readonly residency: Pick<Span, 'residency'>,
  ) {}

  spanOf(block: BlockCandidate): Span {
    const { inSram, streamed } = block.form;
    if (inSram !== this.inSram) {
      this.inSram = inSram;
      this.uses = block.inputs.flatMap((root) =>
        this.pinned.has(root) ? [] : [{ item: this.itemOf(root), fromSram: inSram.has(root) }],
      );
    }
    let tableBytes = 0; // of streamed weights, once a period
    if (streamed.size > 0)
      for (const { step, weights } of block.shape.layers) if (streamed.has(step)) tableBytes += weights.headerBytes;
    return {
      first: block.first,
      last: block.last,
      uses: this.uses,
      outputs: block.outputs.map((root) => {
        const over = block.overwrites.get(root);
        const isKept = over === undefined || this.pinned.has(over);
        return {
          item: this.itemOf(root),
          toSram: inSram.has(root),
          over: isKept ? -1 : this.itemOf(over),
          tail: block.tails.get(root),
        };
      }),
      workspaceBytes: block.workspaceBytes,
      heldWeightBytes: block.heldWeightBytes,
      trafficBytes: (block.trafficBytes + block.streamedWeightBytes) * this.batch + tableBytes,
      extraCycles: block.extraCycles * this.batch,
      streamedSteps: streamed.size === 0 ? NO_STEPS : [...streamed.keys()].sort((a, b) => a - b),
      ...this.residency,
    };
  }
}

const NO_STEPS: readonly number[] = [];
