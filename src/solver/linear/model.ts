/** A mixed-integer linear program, minimised. Row and column order is the order of insertion: results are repeatable. */
export interface LinearColumn {
  readonly name: string;
  readonly cost: number;
  readonly lower: number;
  readonly upper: number; // finite
  readonly integer: boolean;
}

export interface LinearTerm {
  readonly column: number;
  readonly coefficient: number;
}

export interface LinearRow {
  readonly name: string;
  readonly terms: readonly LinearTerm[];
  readonly lower: number; // -Infinity for none
  readonly upper: number; // Infinity for none
}

export interface LinearModel {
  readonly columns: readonly LinearColumn[];
  readonly rows: readonly LinearRow[];
}

export type LinearStatus = 'optimal' | 'feasible' | 'infeasible' | 'none';

export interface LinearSolution {
  /** optimal: proven within the gap; feasible: a solution, cut short; none: nothing found in time. */
  readonly status: LinearStatus;
  readonly objective: number;
  readonly values: Float64Array; // per column; empty without a solution
  readonly rowDuals: Float64Array; // per row, of a relaxation; empty for a MIP
}

export interface LinearOptions {
  readonly relax: boolean; // ignore integrality
  readonly gap: number; // relative
  readonly timeLimitSeconds: number;
  /** Where the search may stop by what it did, the same on every machine: iterations of the simplex method. No limit when absent. */
  readonly workLimit?: number;
}

export interface LinearSolver {
  readonly name: string;
  solve(model: LinearModel, options: LinearOptions): LinearSolution;
}

/** Collects columns and rows; rows may name columns made before. */
export class LinearModelBuilder implements LinearModel {
  readonly columns: LinearColumn[] = [];
  readonly rows: LinearRow[] = [];

  column(name: string, cost: number, upper: number, integer: boolean): number {
    this.columns.push({ name, cost, lower: 0, upper, integer });
    return this.columns.length - 1;
  }

  /** Terms of one column are added up. */
  row(name: string, terms: readonly LinearTerm[], lower: number, upper: number): void {
    const sums = new Map<number, number>();
    for (const { column, coefficient } of terms) sums.set(column, (sums.get(column) ?? 0) + coefficient);
    const merged = [...sums].flatMap(([column, coefficient]) => (coefficient === 0 ? [] : [{ column, coefficient }]));
    this.rows.push({ name, terms: merged, lower, upper });
  }
}
