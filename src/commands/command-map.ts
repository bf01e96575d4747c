/**
 * program.map.json: which command was emitted for which layer, for those who show what a program does. Nothing that runs the
 * program needs it, and it says which program.bin it belongs to.
 */
import { z } from 'zod';
import type { Command, CommandStream } from './types.js';

/** Runs of commands, in order: how many, and the index of their name in `layers`. */
const runs = z.array(z.tuple([z.int().positive(), z.int().nonnegative()]));

const commandMapSchema = z.strictObject({
  schema: z.literal('spillway-map/1'),
  programHash: z.string(), // SHA-256 of program.bin
  layers: z.array(z.string()),
  prologue: runs,
  period: runs,
});

export function commandMapText(stream: CommandStream, programHash: string): string {
  const indexes = new Map<string, number>();
  const runsOf = (commands: readonly Command[]): [number, number][] => {
    const list: [number, number][] = [];
    for (const { layer = '' } of commands) {
      const index = indexes.get(layer) ?? indexes.size;
      indexes.set(layer, index);
      const last = list.at(-1);
      if (last !== undefined && last[1] === index) last[0] += 1;
      else list.push([1, index]);
    }
    return list;
  };
  const [prologue, period] = [runsOf(stream.prologue), runsOf(stream.period)];
  return `${JSON.stringify({ schema: 'spillway-map/1', programHash, layers: [...indexes.keys()], prologue, period })}\n`;
}

/** Names of the layers of the period's commands; undefined when the text is no map of this program. */
export function layersOfPeriod(text: string, programHash: string): string[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const map = commandMapSchema.safeParse(value);
  if (!map.success || map.data.programHash !== programHash) return undefined;
  const { layers, period } = map.data;
  return period.flatMap(([count, index]) => new Array<string>(count).fill(layers[index] ?? ''));
}
