import { describe, expect, it } from 'vitest';
import { DatabaseError, describeError, MagError } from '../../../src/errors.ts';
import { createSystem, light, nodeHost } from '../../../src/index.ts';
import { uncloneableField } from '../../../src/runtime/placement/cloneable.ts';
import { fromWire, toWire } from '../../../src/runtime/placement/wire-error.ts';

const across = (error: unknown): Error => fromWire(structuredClone(toWire(error)));

describe('an error that crosses a thread', () => {
  it('of the registry keeps class, code, status, message, details, hint and its causes', () => {
    const error = new MagError(
      'MAG_CONFIG_UNKNOWN',
      { setting: 'prt', nearest: 'port' },
      { cause: new Error('why'), details: 'more', retryAfter: 42 },
    );
    const back = across(error);
    expect(back).toBeInstanceOf(MagError);
    const { code, status, message, details, hint, retryAfter, stack } = error;
    expect(back).toMatchObject({ code, status, message, details, hint, retryAfter, stack });
    expect(describeError(back)).toBe(describeError(error));
  });

  it('of a database keeps its SQLSTATE and what the server said', () => {
    const error = new DatabaseError('23505', 'duplicate key', {
      details: 'Key (id)=(1)',
      hint: 'another id',
    });
    const back = across(error);
    expect(back).toBeInstanceOf(DatabaseError);
    expect(back).toMatchObject({
      code: '23505',
      status: 409,
      message: 'duplicate key',
      details: 'Key (id)=(1)',
      hint: 'another id',
    });
  });

  it('of any other kind keeps name, code, message and stack', () => {
    const error = Object.assign(new TypeError('odd'), { code: 'ENOENT' });
    expect(across(error)).toMatchObject({
      name: 'TypeError',
      message: 'odd',
      code: 'ENOENT',
      stack: error.stack,
    });
    expect(across('just text').message).toBe('just text');
  });
});

describe('what cannot be cloned', () => {
  it('is named by its path', () => {
    expect(uncloneableField({ type: 'A', f: () => 1 })).toBe('f');
    expect(uncloneableField({ rows: [{}, { a: { b: Symbol('s') } }] })).toBe('rows[1].a.b');
    expect(uncloneableField({ later: Promise.resolve() })).toBe('later');
    expect(uncloneableField({ map: new Map([['k', () => 1]]) })).toBe('map[1]');
  });

  it('is also a reference or a slot, which a clone would make an empty object of', async () => {
    const system = createSystem({ host: nodeHost() });
    const self = await system.start(light('one', { init: () => 0, receive: (state) => state }));
    expect(uncloneableField({ type: 'A', replyTo: self })).toBe('replyTo');
    expect(uncloneableField({ list: [{ to: system.slot('one') }] })).toBe('list[0].to');
    expect(uncloneableField({ by: new Map([[1, system.named('n')]]) })).toBe('by[1]');
    expect(uncloneableField(self)).toBe('(the message)');
    await system.stop('test');
  });

  it('is not found in data, also where it refers to itself', () => {
    const loop: Record<string, unknown> = {
      bytes: new Uint8Array(3),
      when: new Date(0),
      error: new Error('x'),
      big: 1n,
    };
    loop.self = loop;
    expect(uncloneableField({ type: 'A', loop, set: new Set([1]), none: undefined, empty: null })).toBeNull();
  });
});
