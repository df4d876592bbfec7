import { describe, expect, it } from 'vitest';
import { acceptedType, requireJson } from '../../src/actors/gate/media-type.ts';
import { preferencesOf } from '../../src/actors/gate/preferences.ts';

describe('the Prefer header', () => {
  it('has defaults', () => {
    expect(preferencesOf(undefined)).toMatchObject({
      returns: 'minimal',
      count: null,
      resolution: null,
      missing: 'null',
    });
  });

  it('reads several, with spaces, and confirms those that fit the request', () => {
    const found = preferencesOf(
      'return=representation, count=exact,resolution=merge-duplicates , missing=default',
    );
    expect(found).toMatchObject({
      returns: 'representation',
      count: 'exact',
      resolution: 'merge',
      missing: 'default',
      applied: {
        read: 'count=exact',
        insert: 'resolution=merge-duplicates, missing=default, return=representation, count=exact',
        write: 'return=representation, count=exact',
      },
    });
  });

  it('ignores what it does not know, unless told to be strict', () => {
    expect(preferencesOf('tx=rollback, respond-async').returns).toBe('minimal');
    expect(() => preferencesOf('handling=strict, tx=rollback')).toThrowError(
      expect.objectContaining({ code: 'PGRST122', details: 'Invalid preferences: tx=rollback' }),
    );
    expect(() => preferencesOf('handling=strict, max-affected=1')).toThrowError(
      expect.objectContaining({ code: 'PGRST122', status: 400 }),
    );
  });
});

describe('the Accept header', () => {
  it('takes the first type that can be written', () => {
    expect(acceptedType(undefined)).toBe('json');
    expect(acceptedType('text/html, application/xhtml+xml, */*;q=0.8')).toBe('json');
    expect(acceptedType('application/vnd.pgrst.object+json')).toBe('object');
    expect(acceptedType('text/csv')).toBe('csv');
  });

  it('refuses what cannot be', () => {
    for (const header of [
      'image/png',
      'application/vnd.pgrst.array+json;nulls=stripped',
      'toString',
      '__proto__',
    ]) {
      expect(() => acceptedType(header)).toThrowError(
        expect.objectContaining({ code: 'PGRST107', status: 406 }),
      );
    }
  });
});

describe('the content type', () => {
  it('may be missing or any JSON', () => {
    for (const type of [undefined, 'application/json; charset=utf-8', 'application/vnd.pgrst.object+json']) {
      expect(() => requireJson(type)).not.toThrow();
    }
  });

  it('may not be anything else', () => {
    expect(() => requireJson('text/csv')).toThrowError(
      expect.objectContaining({ code: 'MAG_UNSUPPORTED_MEDIA_TYPE', status: 415 }),
    );
  });
});
