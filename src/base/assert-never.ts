/** Ends a `switch` over a closed union: a new member breaks the build where it must be taught. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value ${JSON.stringify(value)}`);
}
