import type { TensorId } from '../../ir/types.js';

/**
 * An activation: a tensor of the model, in the model's own axis order, seen through a tensor of the IR.
 *
 * The stored elements are a row-major array of `atoms`; each axis of the model is a list of atoms, outermost first, and each
 * atom belongs to exactly one axis. Axes of size 1 have no atoms. So a Transpose permutes `axes`, a Reshape regroups (and
 * splits) atoms, and neither moves an element:
 *
 *   conv result, stored NHWC      atoms H W C        axes [] [C] [H] [W]
 *   Transpose(0, 2, 3, 1)         atoms H W C        axes [] [H] [W] [C]
 *   Reshape [1, -1, 2]            atoms H W C/2 2    axes [] [H W C/2] [2]       still the bytes of the convolution
 *
 * Invariant: every atom is larger than 1, and no atom can be merged with its neighbour (see `normalise`).
 */
export interface View {
  readonly tensor: TensorId;
  readonly atoms: readonly number[];
  readonly axes: readonly (readonly number[])[];
}

export function dimsOf(view: View): number[] {
  return view.axes.map((axis) => axis.reduce((product, atom) => product * (view.atoms[atom] ?? 1), 1));
}

/** A tensor stored as its axes in `order`, outermost first: [0, 2, 3, 1] for an image of the model's NCHW. */
export function viewInOrder(tensor: TensorId, dims: readonly number[], order: readonly number[]): View {
  const stored = order.filter((axis) => dims[axis] !== 1);
  const atoms = stored.map((axis) => dims[axis] ?? 1);
  const axes = dims.map((dim, axis) => (dim === 1 ? [] : [stored.indexOf(axis)]));
  return normalise({ tensor, atoms, axes });
}

export function transposed(view: View, perm: readonly number[]): View {
  return normalise({ ...view, axes: perm.map((axis) => view.axes[axis] ?? []) });
}

/** The atoms in the order in which the model counts the elements. */
export function logicalOrder(view: View): number[] {
  return view.axes.flat();
}

/** Merges atoms that are neighbours in storage and in one axis of the model. */
function normalise(view: View): View {
  const follows = new Set<number>(); // atoms that continue the one before them
  for (const axis of view.axes) {
    for (let i = 1; i < axis.length; i++) if (axis[i] === (axis[i - 1] ?? -2) + 1) follows.add(axis[i] ?? -1);
  }
  if (follows.size === 0) return view;
  const atoms: number[] = [];
  const renamed = view.atoms.map((size, atom) => {
    if (follows.has(atom)) atoms[atoms.length - 1] = (atoms.at(-1) ?? 1) * size;
    else atoms.push(size);
    return atoms.length - 1;
  });
  const axes = view.axes.map((axis) => axis.filter((atom) => !follows.has(atom)).map((atom) => renamed[atom] ?? 0));
  return { ...view, atoms, axes };
}

/** The view with another shape of the same element count; undefined when the new axes cut atoms where they do not divide. */
export function reshaped(view: View, dims: readonly number[]): View | undefined {
  // What is one run of elements in both orders may be cut anywhere, whatever axes it came from.
  const flat = normalise({ ...view, axes: [logicalOrder(view)] });
  const split = splitAtoms(flat, dims);
  return split === undefined ? undefined : normalise(split);
}

/** As `reshaped`, but neighbouring atoms stay apart: afterwards every atom lies within one of the new axes. */
function splitAtoms(view: View, dims: readonly number[]): View | undefined {
  const order = logicalOrder(view);
  const parts: number[][] = view.atoms.map(() => []); // what each atom is cut into, outermost first
  const tokens: { atom: number; part: number }[][] = [];
  let next = 0;
  let rest = view.atoms[order[0] ?? -1] ?? 1; // what is left of order[next]
  for (const dim of dims) {
    const axis: { atom: number; part: number }[] = [];
    for (let left = dim; left > 1; ) {
      const atom = order[next];
      if (atom === undefined) return undefined;
      const taken = left % rest === 0 ? rest : rest % left === 0 ? left : undefined;
      if (taken === undefined) return undefined;
      const cut = parts[atom] ?? [];
      axis.push({ atom, part: cut.length });
      cut.push(taken);
      left /= taken;
      rest /= taken;
      if (rest === 1) rest = view.atoms[order[++next] ?? -1] ?? 1;
    }
    tokens.push(axis);
  }
  const firstOf: number[] = [];
  let count = 0;
  for (const cut of parts) {
    firstOf.push(count);
    count += cut.length;
  }
  const axes = tokens.map((axis) => axis.map(({ atom, part }) => (firstOf[atom] ?? 0) + part));
  return { tensor: view.tensor, atoms: parts.flat(), axes };
}

export interface Alignment {
  /** For each atom of a, outermost first, the atom of b that holds the same part of the same axis. */
  readonly orderOfB: readonly number[];
  readonly b: View;
}

/**
 * Finds the order of storage that b must have to lie in memory as a does. Both have the same shape.
 * @returns undefined when the two cut an axis at places that do not nest; one in the model's own order always nests
 */
export function align(a: View, b: View): Alignment | undefined {
  const dims: number[] = [];
  for (let axis = 0; axis < a.axes.length; axis++) {
    const common = commonFactors(factorsOf(a, axis), factorsOf(b, axis));
    if (common === undefined) return undefined;
    dims.push(...common);
  }
  const cutA = splitAtoms(a, dims);
  const cutB = splitAtoms(b, dims);
  if (cutA === undefined || cutB === undefined) return undefined;
  const partnerOf = new Map(logicalOrder(cutA).map((atom, i) => [atom, logicalOrder(cutB)[i] ?? 0]));
  return { orderOfB: cutA.atoms.map((_, atom) => partnerOf.get(atom) ?? 0), b: cutB };
}

function factorsOf(view: View, axis: number): number[] {
  return (view.axes[axis] ?? []).map((atom) => view.atoms[atom] ?? 1);
}

/** [6, 2] and [3, 4] -> [3, 2, 2]; [6] and [4, ...] have no common refinement. */
function commonFactors(a: readonly number[], b: readonly number[]): number[] | undefined {
  const cuts = new Set<number>();
  for (const factors of [a, b]) {
    let inner = 1;
    for (const factor of [...factors].reverse()) {
      inner *= factor;
      cuts.add(inner);
    }
  }
  const result: number[] = [];
  let before = 1;
  for (const cut of [...cuts].sort((x, y) => x - y)) {
    if (cut % before !== 0) return undefined;
    result.unshift(cut / before);
    before = cut;
  }
  return result;
}

/** The atoms of the model's axes taken in `order`: what the storage would be if it followed that order. */
export function atomsInOrder(view: View, order: readonly number[]): number[] {
  return order.flatMap((axis) => view.axes[axis] ?? []);
}

/** The view after its atoms have been stored anew, in `order`, as `tensor`. */
export function reordered(view: View, order: readonly number[], tensor: TensorId): View {
  const position = new Map(order.map((atom, i) => [atom, i]));
  const axes = view.axes.map((axis) => axis.map((atom) => position.get(atom) ?? 0));
  return normalise({ tensor, atoms: order.map((atom) => view.atoms[atom] ?? 1), axes });
}

export function isStored(order: readonly number[]): boolean {
  return order.every((atom, position) => atom === position);
}

/**
 * Orders of axes in which a view may be wanted when nothing else decides: channels last for images, the model's own
 * order, and the order in which the view is stored, if its axes are whole there.
 */
export function candidateOrders(view: View): number[][] {
  const rank = view.axes.length;
  const own = Array.from({ length: rank }, (_, axis) => axis);
  const orders = rank === 4 ? [[0, 2, 3, 1], own] : [own];
  if (view.axes.every((axis) => axis.length <= 1)) {
    orders.push([...own].sort((x, y) => (view.axes[x]?.[0] ?? -1) - (view.axes[y]?.[0] ?? -1)));
  }
  return orders;
}
