/** A document of a test file, of which nothing is known before it is looked at. */
export type Bag = Readonly<Record<string, unknown>>;

export const isBag = (value: unknown): value is Bag =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Absent it is empty. */
export const bag = (value: unknown): Bag => (isBag(value) ? value : {});

export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

export const bags = (value: unknown): readonly Bag[] => list(value).map(bag);

export const strings = (value: unknown): readonly string[] => list(value).map(String);

/** What this runner, or the driver, has no means for: the test is passed over, and says why. */
export class Unsupported extends Error {
  override readonly name = 'Unsupported';
}

/** What the test wants is not what there is. */
export class Mismatch extends Error {
  override readonly name = 'Mismatch';
}

export function require(holds: boolean, problem: string): asserts holds {
  if (!holds) throw new Mismatch(problem);
}
