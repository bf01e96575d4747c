/** What a plan can be chosen for. throughput is the time of a period, as latency is: of its frames all together. */
export const OBJECTIVES = ['traffic', 'latency', 'throughput', 'energy'] as const;
export type Objective = (typeof OBJECTIVES)[number];
