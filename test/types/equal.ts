/** True where the two are the same type: not merely assignable to each other, as `any` would be. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** An error of the compiler unless what it is given is `true`. */
export type Expect<_Holds extends true> = never;
