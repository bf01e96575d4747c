import makeGlpk, { type GLPK, type LP } from 'glpk.js/node';
import type { LinearModel, LinearOptions, LinearSolution, LinearSolver, LinearStatus } from './model.js';

let instance: Promise<GLPK> | undefined;

/** The default solver: GLPK compiled to WebAssembly, called synchronously. */
export async function loadGlpk(): Promise<LinearSolver> {
  instance ??= loadSilent();
  const glpk = await instance;
  return { name: 'glpk', solve: (model, options) => solveWith(glpk, model, options) };
}

/**
 * Some of GLPK's routines print to stdout, whatever the message level says, and stdout is for results. The module takes hold of
 * console.log when it is made, and its factory takes no other printer.
 */
async function loadSilent(): Promise<GLPK> {
  const { log } = console;
  console.log = () => {};
  try {
    return await makeGlpk();
  } finally {
    console.log = log;
  }
}

function solveWith(glpk: GLPK, model: LinearModel, options: LinearOptions): LinearSolution {
  const lp = toLp(glpk, model, options.relax);
  const clock = new WorkClock(options);
  const { result: answer } = clock.during(() =>
    glpk.solve(lp, { msglev: glpk.GLP_MSG_OFF, presol: true, mipgap: options.gap, tmlim: clock.limitSeconds }),
  );
  // A search that stops within the gap calls its answer feasible, just as one that is cut short does.
  const isCutShort = options.relax || options.gap === 0 || clock.isOver;
  const status = answer.status === glpk.GLP_FEAS && !isCutShort ? 'optimal' : statusOf(glpk, answer.status);
  if (status === 'infeasible' || status === 'none') {
    return { status, objective: Number.NaN, values: new Float64Array(0), rowDuals: new Float64Array(0) };
  }
  const values = Float64Array.from(model.columns, (_, i) => answer.vars[`c${i}`] ?? 0);
  const dual = answer.dual;
  const rowDuals =
    dual === undefined ? new Float64Array(0) : Float64Array.from(model.rows, (_, i) => dual[`r${i}`] ?? 0);
  return { status, objective: answer.z, values, rowDuals };
}

/**
 * GLPK knows no limit but that of time, and asks for the time once an iteration. The clock that it sees goes on by a millisecond each
 * time it looks: so its limit is one of work, and strikes at the same iteration on every machine. Only where the real time is over does
 * the clock jump to the limit.
 */
class WorkClock {
  readonly limitSeconds: number;
  private readonly limit: number;
  private looks = 0;
  private isLate = false;

  constructor(private readonly options: LinearOptions) {
    this.limitSeconds = Math.ceil(Math.min(options.workLimit ?? MOST_WORK, MOST_WORK) / 1000);
    this.limit = this.limitSeconds * 1000;
  }

  get isOver(): boolean {
    return this.isLate || this.looks >= this.limit;
  }

  during<Result>(solve: () => Result): Result {
    const { now } = Date;
    const end = now() + 1000 * this.options.timeLimitSeconds;
    Date.now = () => {
      this.looks += 1;
      if (this.looks % LOOKS_PER_CHECK === 0) this.isLate ||= now() > end;
      return this.isLate ? 2 * this.limit : this.looks;
    };
    try {
      return solve();
    } finally {
      Date.now = now;
    }
  }
}

/** Milliseconds: as many as GLPK takes for a limit. */
const MOST_WORK = 2_000_000_000;
const LOOKS_PER_CHECK = 16;

function statusOf(glpk: GLPK, status: number): LinearStatus {
  if (status === glpk.GLP_OPT) return 'optimal';
  if (status === glpk.GLP_FEAS) return 'feasible';
  if (status === glpk.GLP_NOFEAS || status === glpk.GLP_INFEAS) return 'infeasible';
  return 'none';
}

function toLp(glpk: GLPK, model: LinearModel, relax: boolean): LP {
  const isBinary = (i: number): boolean => !relax && model.columns[i]?.integer === true;
  return {
    name: 'placement',
    objective: {
      direction: glpk.GLP_MIN,
      name: 'traffic',
      vars: model.columns.map((column, i) => ({ name: `c${i}`, coef: column.cost })),
    },
    subjectTo: model.rows.map((row, i) => ({
      name: `r${i}`,
      vars: row.terms.map((term) => ({ name: `c${term.column}`, coef: term.coefficient })),
      bnds: boundsOf(glpk, row.lower, row.upper),
    })),
    bounds: model.columns.map((column, i) => ({ name: `c${i}`, ...boundsOf(glpk, column.lower, column.upper) })),
    binaries: [],
    generals: model.columns.flatMap((_, i) => (isBinary(i) ? [`c${i}`] : [])),
  };
}

function boundsOf(glpk: GLPK, lower: number, upper: number): { type: number; lb: number; ub: number } {
  if (lower === upper) return { type: glpk.GLP_FX, lb: lower, ub: upper };
  if (lower === Number.NEGATIVE_INFINITY) return { type: glpk.GLP_UP, lb: 0, ub: upper };
  if (upper === Number.POSITIVE_INFINITY) return { type: glpk.GLP_LO, lb: lower, ub: 0 };
  return { type: glpk.GLP_DB, lb: lower, ub: upper };
}
