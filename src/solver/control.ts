/** How one who waits for a search takes part in it: by ending it, and by hearing how it goes. */
export interface SearchControl {
  /** True once the best plan found so far is all that is wanted. Looked at often: it must be cheap. */
  readonly isStopped: () => boolean;
  /** @param boundBytes no plan of the kind that is searched has less */
  readonly onProgress?: (bestBytes: number, boundBytes: number) => void;
}
