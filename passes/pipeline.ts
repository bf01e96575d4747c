import { canonicalise } from './canonicalise.js';
import { fuse } from './fuse.js';
import { hoistActivations } from './hoist-activations.js';
import { lowerConcat } from './lower-concat.js';
import { order } from './order.js';
import type { Pass } from './pass.js';
import { resolveViews } from './resolve-views.js';

/** THE list: every pass, in the order in which they run, with the reason for its place. */
export const PIPELINE: readonly Pass[] = [
  canonicalise, // one spelling per meaning, so that every later pattern is written once
  hoistActivations, // before concatenations disappear: behind one there is no layer to fuse with
  lowerConcat, // before views: an operand that is a reshape can still be written through it
  resolveViews, // from here on every op moves or computes data
  fuse, // after copies are made, since they can carry an epilogue; before order, which counts layers
  order, // last of those that change ops: nothing after it moves a layer
];
