/** What the weights of a layer are called, in reports and in questions: they are one tensor to whoever reads of them. */
export const weightsName = (layer: string): string => `${layer} (weights)`;
