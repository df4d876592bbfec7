import { describe, expect, it } from 'vitest';
import { bearerOf, principalOf } from '../../src/actors/psu/project-key-check.ts';
import { ANON, handleOf, OTHER, REF, SERVICE } from '../support/gate.ts';

const project = handleOf(REF, SERVICE);
const NOW = 1_700_000_000_000;
const invalid = expect.objectContaining({ code: 'MAG_KEY_INVALID', status: 401 });

describe('a project key', () => {
  it('says who asks', () => {
    expect(principalOf(project, ANON, undefined, NOW).role).toBe('anon');
    expect(principalOf(project, SERVICE, undefined, NOW).role).toBe('service_role');
    expect(principalOf(project, undefined, SERVICE, NOW).role).toBe('service_role');
  });

  it('sent twice, as clients do, is just the key', () => {
    expect(principalOf(project, ANON, ANON, NOW).role).toBe('anon');
  });

  it('as Bearer beside another key decides the role', () => {
    expect(principalOf(project, ANON, SERVICE, NOW).role).toBe('service_role');
    expect(() => principalOf(project, ANON, 'no.key.at-all', NOW)).toThrowError(invalid);
    expect(() => principalOf(project, 'wrong', SERVICE, NOW)).toThrowError(invalid);
  });

  it('is not enough beside a Bearer that says nothing, or that is no token', () => {
    const signing = { ...project, tokenKeys: { secret: 's', publicKey: 'p', keyId: 'k' } };
    const refused = (bearer: string, message: string): void =>
      expect(() => principalOf(signing, ANON, bearer, NOW)).toThrowError(
        expect.objectContaining({ code: 'PGRST301', status: 401, message }),
      );
    refused('', 'Empty JWT is sent in Authorization header');
    refused('no.key.at-all', 'JWT cryptographic operation failed');
    refused('neither.this', 'Expected 3 parts in JWT; got 2');
  });

  it('is asked for, and refused when wrong, foreign or endless', () => {
    expect(() => principalOf(project, undefined, undefined, NOW)).toThrowError(
      expect.objectContaining({ code: 'MAG_KEY_MISSING', status: 401 }),
    );
    for (const key of ['wrong', OTHER, `${SERVICE}x`, 'x'.repeat(100_000)]) {
      expect(() => principalOf(project, key, undefined, NOW)).toThrowError(invalid);
    }
  });

  it('stays known only as long as its project handle does', () => {
    expect(principalOf(project, SERVICE, undefined, NOW).role).toBe('service_role');
    const rotated = handleOf(REF, 'another service key');
    expect(() => principalOf(rotated, SERVICE, undefined, NOW)).toThrowError(invalid);
  });
});

describe('an Authorization header', () => {
  it('gives its token under Bearer alone', () => {
    expect(bearerOf('Bearer abc')).toBe('abc');
    expect(bearerOf('bearer abc')).toBe('abc');
    expect(bearerOf('Basic abcdef')).toBeUndefined();
    expect(bearerOf('Bearer')).toBe('');
    expect(bearerOf(undefined)).toBeUndefined();
  });
});
