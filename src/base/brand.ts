declare const brand: unique symbol;

/** A number that cannot be mixed up with a number of another kind. Made by a cast, and only where ids are made. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
