import { describe, expect, it } from 'vitest';
import { requestKey } from '../../src/actors/gate/idempotency/request-key.ts';

const keyOf = (claims: Record<string, unknown>): string =>
  requestKey('1', {
    principal: { role: 'authenticated', claims: { role: 'authenticated', ...claims } },
    ...{ target: 'POST /rest/v1/rpc/mine', search: '', headers: {}, body: '{}' },
  }).key;

describe('an idempotency key', () => {
  it.each([
    [{ sub: 'a' }, { sub: 'b' }],
    [{ sub: 1 }, { sub: 2 }],
    [{ sub: 1 }, { sub: '1' }],
    [{ user_id: 'a' }, { user_id: 'b' }],
    [{ org: { id: 1 } }, { org: { id: 2 } }],
    [{}, { email: 'a@b.test' }],
    [{ sub: '' }, { email: 'a@b.test' }],
  ])('of %j is none of %j', (one, other) => {
    expect(keyOf(one)).not.toBe(keyOf(other));
  });

  it.each([
    [
      { sub: 'a', iat: 1, exp: 2, email: 'a@b.test' },
      { sub: 'a', iat: 3, exp: 4, email: 'c@d.test' },
    ],
    [
      { user_id: 1, org: 2, iat: 1, exp: 2, jti: 'x' },
      { org: 2, user_id: 1, iat: 3, exp: 4, jti: 'y' },
    ],
    [{}, { iat: 1, exp: 2 }],
  ])('of %j is that of %j, under another token', (one, other) => {
    expect(keyOf(one)).toBe(keyOf(other));
  });
});
