import * as highsModule from 'highs';
import type { LinearModel, LinearOptions, LinearSolution, LinearSolver } from './model.js';

/** The second solver: HiGHS compiled to WebAssembly. Tests hold one against the other. */
export async function loadHighs(): Promise<LinearSolver> {
  // The package's types describe its CommonJS shape; as an ES module its default export is the loader itself.
  const loader = highsModule.default as unknown as typeof highsModule.default.default;
  const highs = await loader();
  return {
    name: 'highs',
    solve(model: LinearModel, options: LinearOptions): LinearSolution {
      const answer = highs.solve(toCplexLp(model, options.relax), {
        output_flag: false,
        mip_rel_gap: options.gap,
        time_limit: options.timeLimitSeconds,
        ...(options.workLimit === undefined
          ? {}
          : { mip_max_nodes: Math.ceil(options.workLimit / ITERATIONS_PER_NODE) }),
        threads: 1,
      });
      const isOptimal = answer.Status === 'Optimal';
      const values = new Float64Array(model.columns.length);
      let found = isOptimal;
      for (const [name, column] of Object.entries<object>(answer.Columns)) {
        if ('Primal' in column && typeof column.Primal === 'number') {
          values[Number(name.slice(1))] = column.Primal;
          if (/limit/i.test(answer.Status) && Number.isFinite(answer.ObjectiveValue)) found = true;
        }
      }
      if (!found) {
        const status = answer.Status === 'Infeasible' ? 'infeasible' : 'none';
        return { status, objective: Number.NaN, values: new Float64Array(0), rowDuals: new Float64Array(0) };
      }
      return {
        status: isOptimal ? 'optimal' : 'feasible',
        objective: answer.ObjectiveValue,
        values,
        rowDuals: rowDualsOf(answer.Rows, model),
      };
    },
  };
}

/** HiGHS can be stopped at a number of nodes of its search; its simplex iterations are not limited over the nodes. */
const ITERATIONS_PER_NODE = 100;

function rowDualsOf(rows: readonly object[] | undefined, model: LinearModel): Float64Array {
  const duals = new Float64Array(model.rows.length);
  for (const row of rows ?? []) {
    if ('Dual' in row && typeof row.Dual === 'number' && 'Name' in row && typeof row.Name === 'string') {
      duals[Number(row.Name.slice(1))] = row.Dual;
    }
  }
  return duals;
}

/** The CPLEX LP text of a model; rows and columns are named r0.. and c0.. */
export function toCplexLp(model: LinearModel, relax: boolean): string {
  const lines = ['Minimize', ' obj:'];
  model.columns.forEach((column, i) => {
    lines.push(` ${signed(column.cost)} c${i}`);
  });
  lines.push('Subject To');
  model.rows.forEach((row, i) => {
    const terms = row.terms.map((term) => `${signed(term.coefficient)} c${term.column}`).join('\n ');
    if (row.lower === row.upper) lines.push(` r${i}: ${terms} = ${row.upper}`);
    else if (row.upper !== Number.POSITIVE_INFINITY) lines.push(` r${i}: ${terms} <= ${row.upper}`);
    else lines.push(` r${i}: ${terms} >= ${row.lower}`);
  });
  lines.push('Bounds');
  model.columns.forEach((column, i) => {
    lines.push(` ${column.lower} <= c${i} <= ${column.upper}`);
  });
  if (!relax) {
    lines.push('General');
    model.columns.forEach((column, i) => {
      if (column.integer) lines.push(` c${i}`);
    });
  }
  lines.push('End', '');
  return lines.join('\n');
}

function signed(value: number): string {
  return value < 0 ? `- ${-value}` : `+ ${value}`;
}
