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
        update: 'missing=default, return=representation, count=exact',
        delete: 'return=representation, count=exact',
        put: 'return=representation, count=exact',
        call: 'count=exact',
      },
    });
  });

  it('counts the first of several, over headers too', () => {
    const found = preferencesOf(['tx=rollback, tx=commit, return=minimal', 'return=representation']);
    expect(found).toMatchObject({ rollback: true, returns: 'minimal' });
    expect(found.applied.read).toBe('tx=rollback');
  });

  it('keeps max-affected only where it is strict, and one that is no number not at all', () => {
    expect(preferencesOf('max-affected=5')).toMatchObject({ maxAffected: null, applied: { update: '' } });
    const strict = preferencesOf('handling=strict, max-affected=5');
    expect(strict.maxAffected).toBe(5);
    expect(strict.applied).toMatchObject({
      read: 'handling=strict',
      insert: 'handling=strict',
      update: 'handling=strict, max-affected=5',
      delete: 'handling=strict, max-affected=5',
      call: 'handling=strict, max-affected=5',
    });
    expect(preferencesOf('handling=strict, max-affected=many').maxAffected).toBeNull();
  });

  it('takes a time zone where the engine knows of zones, and elsewhere not', () => {
    const asked = 'handling=lenient, timezone=America/Los_Angeles, count=exact';
    expect(preferencesOf(asked, true)).toMatchObject({
      timezone: 'America/Los_Angeles',
      applied: { read: 'count=exact, handling=lenient, timezone=America/Los_Angeles' },
    });
    expect(preferencesOf(asked)).toMatchObject({
      timezone: null,
      applied: { read: 'count=exact, handling=lenient' },
    });
    expect(preferencesOf(`timezone=${'x'.repeat(65)}`, true).timezone).toBeNull();
    expect(() => preferencesOf('handling=strict, timezone=UTC')).toThrowError(
      expect.objectContaining({ code: 'PGRST122' }),
    );
  });

  it('ignores what it does not know, unless told to be strict', () => {
    expect(preferencesOf('handling=lenient, anything').applied.read).toBe('handling=lenient');
    expect(() => preferencesOf('handling=strict, something, else')).toThrowError(
      expect.objectContaining({
        code: 'PGRST122',
        status: 400,
        message: 'Invalid preferences given with handling=strict',
        details: 'Invalid preferences: something, else',
      }),
    );
  });
});

describe('the Accept header', () => {
  const type = (header?: string): string => {
    const { kind, stripped } = acceptedType(header);
    return `${kind}${stripped ? ' without nulls' : ''}`;
  };

  it('takes the first type that can be written', () => {
    expect(type()).toBe('json');
    expect(type('text/html, application/xhtml+xml, */*;q=0.8')).toBe('json');
    expect(type('application/vnd.pgrst.object+json')).toBe('object');
    expect(type('text/csv')).toBe('csv');
  });

  it('takes the one that is wanted most, and none that is not wanted', () => {
    expect(type('application/json;q=0.2, text/csv;q=0.9, image/png')).toBe('csv');
    expect(type('text/csv;q=0, */*;q=0.1')).toBe('json');
    expect(() => acceptedType('text/csv;q=0')).toThrowError(expect.objectContaining({ code: 'PGRST107' }));
  });

  it('leaves nulls out where asked, of rows and of one', () => {
    expect(type('application/vnd.pgrst.array+json;nulls=stripped')).toBe('json without nulls');
    expect(type('application/vnd.PGRST.object+json; nulls=stripped')).toBe('object without nulls');
    expect(type('application/json;nulls=stripped')).toBe('json');
  });

  it('refuses what cannot be', () => {
    for (const header of [
      'image/png',
      'application/geo+json',
      'application/vnd.pgrst.plan+json',
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
