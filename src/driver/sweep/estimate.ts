/** How far a sweep is, and how long the rest may take: by the mean time of the points of the same model, or of all. */
export class Estimate {
  readonly #kinds: readonly unknown[];
  readonly #jobs: number;
  readonly #isDone: boolean[];
  readonly #times = new Map<unknown, { seconds: number; points: number }>();

  /** @param kinds of each point: points of one kind take about the same time */
  constructor(kinds: readonly unknown[], jobs: number) {
    this.#kinds = kinds;
    this.#jobs = jobs;
    this.#isDone = kinds.map(() => false);
  }

  /** @param seconds undefined when they say nothing about other points */
  done(index: number, seconds: number | undefined): string {
    this.#isDone[index] = true;
    if (seconds !== undefined) {
      const kind = this.#kinds[index];
      const known = this.#times.get(kind) ?? { seconds: 0, points: 0 };
      this.#times.set(kind, { seconds: known.seconds + seconds, points: known.points + 1 });
    }
    return this.text();
  }

  /** `12 of 40 points, about 1 min 20 s left`. */
  text(): string {
    const done = this.#isDone.filter((isDone) => isDone).length;
    const left = this.#secondsLeft();
    const estimate = left === undefined ? '' : `, about ${duration(left)} left`;
    return `${done} of ${this.#kinds.length} points${estimate}`;
  }

  #secondsLeft(): number | undefined {
    const all = [...this.#times.values()];
    const points = all.reduce((total, one) => total + one.points, 0);
    if (points === 0) return undefined;
    const mean = all.reduce((total, one) => total + one.seconds, 0) / points;
    let seconds = 0;
    for (const [i, kind] of this.#kinds.entries()) {
      if (this.#isDone[i]) continue;
      const known = this.#times.get(kind);
      seconds += known === undefined ? mean : known.seconds / known.points;
    }
    return seconds / this.#jobs;
  }
}

function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
