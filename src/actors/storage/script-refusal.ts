import { MagError } from '../../errors.ts';

/** What a script under an idempotency key may not hold: its record could not be of one mind with it. */
export const notUnderKey = (what: string, cause?: unknown): MagError =>
  new MagError(
    'MAG_IDEMPOTENCY_KEY_INVALID',
    { problem: `it is not supported on ${what}` },
    cause === undefined ? {} : { cause },
  );

/** The words of a statement that would begin or end a transaction. */
export const endsTransaction = (words: string): MagError =>
  notUnderKey(`a script that begins or ends transactions itself (${words.slice(0, 60)})`);
