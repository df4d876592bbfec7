import fc from 'fast-check';
import { expect, it } from 'vitest';
import { contentLocation } from '../../src/actors/gate/location.ts';

const name = fc.constantFrom('a', 'ab', 'a-b', 'a.b', 'apikey', 'apikeys', 'id', 'select', 'Z', '');
const parameter = fc
  .tuple(name, fc.option(fc.constantFrom('', 'eq.1', 'eq.2', 'x=y', '%20'), { nil: null }))
  .map(([key, value]) => (value === null ? key : `${key}=${value}`));

/** The same by lists of texts. */
function naive(search: string): string {
  const nameOf = (pair: string): string => pair.split('=')[0] ?? '';
  const pairs = search.split('&').filter((pair) => pair !== '' && !pair.startsWith('apikey='));
  const sorted = pairs.toSorted((left, right) => {
    if (nameOf(left) === nameOf(right)) return 0;
    return nameOf(left) < nameOf(right) ? -1 : 1;
  });
  return sorted.length === 0 ? '/todos' : `/todos?${sorted.join('&')}`;
}

it('what was read is named by its parameters in the order of their names, without empty ones and keys', () => {
  fc.assert(
    fc.property(fc.array(parameter, { maxLength: 7 }), (parameters) => {
      const search = parameters.join('&');
      expect(contentLocation('todos', search)).toBe(naive(search));
    }),
  );
});

it('what the URL should have escaped is escaped', () => {
  expect(contentLocation('é', 'b=\u00e9 "&a=1')).toBe('/%C3%A9?a=1&b=%e9%20"');
});
