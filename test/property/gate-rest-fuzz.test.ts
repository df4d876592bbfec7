import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/errors.ts';
import { REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';
import { query } from '../support/grammar-arbitraries.ts';
import { printAddressed, printOrder, printPair, printSelect } from '../support/print-filter.ts';

let board: TestGate;
beforeAll(async () => {
  board = await startGate();
  board.engine.create('todos', ['id', 'title', 'rank']);
});
afterAll(() => board.gate.close());

const words = fc.constantFrom(
  ...[
    'select',
    'order',
    'limit',
    'offset',
    'columns',
    'on_conflict',
    'and',
    'or',
    'not.or',
    'id',
    'title',
    'a.b',
  ],
  ...[
    'eq.',
    'in.(',
    'is.null',
    'fts(x).',
    'like(any).{',
    'cs.{',
    '->>',
    '::',
    '...',
    '!inner',
    '(',
    ')',
    '()',
  ],
  ...['=', '&', ',', '.', ':', '"', '*', '%', '%00', '%2B', '1', '-1', 'id', 'count()', 'sum()', '.desc'],
);
const soup = fc.array(words, { maxLength: 16 }).map((parts) => parts.join(''));
/** Everything the grammar has, well formed. */
const wellFormed = query.map((given) =>
  [
    `select=${encodeURIComponent(printSelect(given.select))}`,
    ...given.filters.map((filter) => printPair(filter)),
    `order=${encodeURIComponent(printOrder(given.order))}`,
    ...printAddressed(given.select),
  ].join('&'),
);
const plain = fc.constantFrom('', 'id=eq.1', 'select=id,title&id=in.(1,2)', 'select=*&order=id&limit=2');
/** What fetch sends as it is. */
const header = (...values: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constantFrom(...values),
    fc.string({ maxLength: 12 }).map((text) => text.replace(/[^\x20-\x7e]/g, '')),
  );

const headers = fc.record(
  {
    prefer: fc
      .array(
        header(
          ...['return=representation', 'return=headers-only', 'count=exact', 'resolution=merge-duplicates'],
          ...['missing=default', 'tx=rollback', 'handling=strict', 'max-affected=1', 'timezone=UTC'],
        ),
        { maxLength: 3 },
      )
      .map((parts) => parts.join(', ')),
    accept: header('application/json', 'text/csv', 'application/vnd.pgrst.object+json', '*/*;q=0', 'a/b;q=x'),
    range: header('0-1', '5-2', '3-', 'bytes=0-1', '99999999999999999999-'),
    'accept-profile': header('public', 'secret'),
    'content-profile': header('public', 'secret'),
    'content-type': header(
      ...[
        'application/json',
        'text/csv',
        'text/plain',
        'application/x-www-form-urlencoded',
        'application/octet-stream',
      ],
    ),
  },
  { requiredKeys: [] },
);
const body = fc.oneof(
  fc.constantFrom(
    '',
    '{}',
    '[]',
    '[{}]',
    '{"id":1}',
    '[{"id":1},{"title":2}]',
    'id,title\n1,"x',
    'id=1&id=2',
    'null',
  ),
  fc.json({ maxDepth: 2 }),
  fc.string({ unit: 'binary', maxLength: 30 }),
);
const path = fc.constantFrom(
  'todos',
  'none',
  'rpc/todos',
  'rpc/%00',
  'rpc',
  'todos/x',
  '%22',
  'to%2Fdos',
  '',
);

describe('whatever is asked of REST', () => {
  it('is answered, or refused with a code of the registry and a 4xx', async () => {
    const request = fc.record({
      method: fc.constantFrom('GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE', 'OPTIONS'),
      path,
      search: fc.oneof(soup, wellFormed, plain, fc.webQueryParameters()),
      headers,
      body,
    });
    await fc.assert(
      fc.asyncProperty(request, async (given) => {
        const { method, search } = given;
        const payload = method === 'GET' || method === 'HEAD' ? undefined : given.body;
        const reply = await board.call(method, `/p/${REF}/rest/v1/${given.path}?${search}`, payload, {
          ...given.headers,
          apikey: SERVICE,
        });
        const text = await reply.text();
        expect(reply.status).toBeLessThan(500);
        if (reply.status < 400 || method === 'HEAD') return;
        const error = JSON.parse(text) as { code: string };
        expect(/^[0-9A-Z]{5}$/.test(error.code) || Object.hasOwn(ERRORS, error.code)).toBe(true);
      }),
      { numRuns: 600 },
    );
    expect(board.logged.filter((line) => 'stack' in line)).toEqual([]);
  });
});
