import type { CodeLine } from './sequencer.js';
import type { StandingRead } from './shadow-memory.js';

/** How a command gets at its bytes, for the judgement of stale reads. */
export interface Place {
  readonly operand: Operand;
  /** The place moves with the loops, or is a rolling buffer: only then can bytes be of the wrong row or tile. */
  readonly isMoving: boolean;
  readonly ring: number;
  readonly pixelPitch: number;
}

/** A rectangle of an image, or any other bytes of an operand. A command of the program has one object for all of its issues. */
export class Operand {
  /** Of the elements in it: their addresses must be multiples. */
  alignBytes = 1;
  /** The read is not remembered: the same bytes are overwritten by the command at the same positions. */
  isInPlace = false;
  /** The MAC array's input or its weights: how often they go through the ports is not a matter of the bytes touched. */
  stream: 'input' | 'weights' | undefined;
  /** Weights and tables: what a load brought from where the constants lie, and nothing that was computed. */
  isConstant = false;
  /** Its origin less that of who wrote what it reads, by the writer's line: a program keeps it constant. */
  readonly offsets = new Map<number, number>();
  /** A long read that was found to be in order, and its origin. */
  longRead: { readonly read: StandingRead; readonly origin: number } | undefined;
  private place: Place | undefined;

  constructor(
    readonly name: string,
    readonly isMoving: boolean,
  ) {}

  placeIn(ring: number, pixelPitch: number, isMoving: boolean): Place {
    const { place } = this;
    if (place?.ring === ring && place.pixelPitch === pixelPitch && place.isMoving === isMoving) return place;
    this.place = { operand: this, isMoving, ring, pixelPitch };
    return this.place;
  }
}

/** The line's operand of this name, with everything else as it is by default. */
export function operandOf(line: CodeLine, name: string, isMoving: boolean, alignBytes: number): Operand {
  let operand = line.operands.get(name);
  if (operand === undefined) {
    operand = new Operand(name, isMoving);
    line.operands.set(name, operand);
  }
  operand.alignBytes = alignBytes;
  operand.isInPlace = false;
  operand.isConstant = false;
  operand.stream = undefined;
  return operand;
}
