import { describe, expect, it } from 'vitest';
import { publicError } from '../../src/actors/storage/postgres/failures.ts';
import { DatabaseError } from '../../src/errors.ts';

const raise = (message: string, detail?: string) =>
  publicError(
    Object.assign(new Error(message), {
      ...{ code: 'PGRST', severity: 'ERROR' },
      ...(detail === undefined ? {} : { detail }),
    }),
  );

const MESSAGE = '{"code":"123","message":"ABC","details":"DEF","hint":"XYZ"}';

describe('an error raised as PGRST', () => {
  it('says the whole of the reply: code, message, details, hint, status and headers', () => {
    const error = raise(MESSAGE, '{"status":432,"headers":{"X-Header":"str","Retry-After":"3"}}');
    expect(error).toMatchObject({ code: '123', message: 'ABC', details: 'DEF', hint: 'XYZ', status: 432 });
    expect(error instanceof DatabaseError && error.headers).toEqual([
      ...['x-header', 'str', 'retry-after', '3'],
    ]);
  });

  it('says no header that is the connection’s or the board’s', () => {
    const headers = {
      ...{ 'Content-Length': '9', 'Transfer-Encoding': 'chunked', 'Clear-Site-Data': '"*"' },
      ...{ 'Set-Cookie': 'mag_session=x; Path=/', 'X-Kept': 'é' },
    };
    const error = raise(MESSAGE, JSON.stringify({ status: 400, headers }));
    expect(error instanceof DatabaseError && error.headers).toEqual([
      'x-kept',
      Buffer.from('é').toString('latin1'),
    ]);
  });

  it.each([
    ['My Custom Status', 'My Custom Status'],
    ['Não', Buffer.from('Não').toString('latin1')],
    ['a\r\nb: c', null],
    ['x'.repeat(9_000), null],
    [' ', null],
    [null, null],
  ])('calls its status %j', (said, statusText) => {
    const error = raise(MESSAGE, JSON.stringify({ status: 432, status_text: said, headers: {} }));
    expect(error).toMatchObject({ status: 432, statusText });
  });

  it.each([
    ['a message that is no JSON', 'nonsense', '{"status":400,"headers":{}}', 'MESSAGE'],
    ['a message without a code', '{"message":"ABC"}', '{"status":400,"headers":{}}', 'MESSAGE'],
    ['no detail', MESSAGE, undefined, 'DETAIL is missing'],
    ['a detail that is no JSON', MESSAGE, 'nonsense', 'DETAIL'],
    ['a status that no reply has', MESSAGE, '{"status":99,"headers":{}}', 'DETAIL'],
    ['a status that is called by no text', MESSAGE, '{"status":400,"status_text":1,"headers":{}}', 'DETAIL'],
    [
      'a header that would begin another one',
      MESSAGE,
      '{"status":400,"headers":{"a":"b\\r\\nc: d"}}',
      'DETAIL',
    ],
    ['a header whose name is none', MESSAGE, '{"status":400,"headers":{"a b":"c"}}', 'DETAIL'],
    [
      ...(['more headers than clients take', MESSAGE] as const),
      ...([`{"status":400,"headers":{"a":"${'x'.repeat(9_000)}"}}`, 'DETAIL'] as const),
    ],
  ])('is refused with %s', (_what, message, detail, details) => {
    const error = raise(message, detail);
    expect([error.code, error.status]).toEqual(['PGRST121', 500]);
    expect(String(error.details)).toContain(details);
  });
});
