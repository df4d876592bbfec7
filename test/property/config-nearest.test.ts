import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearest } from '../../src/actors/bios/nearest.ts';
import { SETTING_KEYS, SETTINGS } from '../../src/actors/bios/settings.ts';

const variables = SETTING_KEYS.map((key) => SETTINGS[key].env);

describe('the nearest known word', () => {
  it('to a known word is that word', () => {
    fc.assert(
      fc.property(fc.constantFrom(...variables), (word) => {
        expect(nearest(word.toLowerCase(), variables)).toBe(word);
      }),
    );
  });

  it('to a word with one letter too many is found where no other is as near', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('MAG_DATA_DIR', 'MAG_DRAIN_SECONDS', 'MAG_EDGE_WORKERS'),
        fc.nat(),
        (word, at) => {
          const place = at % (word.length + 1);
          expect(nearest(`${word.slice(0, place)}x${word.slice(place)}`, variables)).toBe(word);
        },
      ),
    );
  });

  it('is always one of the words', () => {
    fc.assert(
      fc.property(fc.string(), (written) => {
        expect(variables).toContain(nearest(written, variables));
      }),
    );
  });
});
