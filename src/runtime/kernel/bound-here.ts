/** Marks what means something only in its own thread, though a structured clone would take it: as an empty object. */
export const BOUND_HERE: unique symbol = Symbol('magmobo.boundHere');
