import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlanCache } from '../../src/actors/storage/sql/plan-cache.ts';
import { queryShape } from '../../src/actors/storage/sql/query-shape.ts';
import { SqliteSession } from '../../src/actors/storage/sqlite/sqlite-session.ts';
import { splitStatements } from '../../src/actors/storage/sqlite/statement-splitter.ts';
import { encodeFrame, FrameReader } from '../../src/actors/storage/storage-process/frame.ts';
import { insert } from '../contract/engine/subject.ts';
import { SqliteBoard } from '../support/sqlite-board.ts';

describe('values through SQLite', () => {
  let board: SqliteBoard;
  let session: SqliteSession;

  beforeAll(async () => {
    board = new SqliteBoard();
    const engine = await board.engine();
    const statement =
      'create table items (id integer primary key, big bigint, real double, note text, doc json, loose)';
    await engine.sql(statement, [], board.context());
    session = new SqliteSession({
      file: await board.file(),
      busyTimeout: 0,
      checkpointPages: 0,
      inlineOnly: false,
    });
  });

  afterAll(async () => {
    session.close();
    await board.close();
  });

  const stored = (name: string, value: unknown): string => {
    const query = insert([{ [name]: value } as Record<string, string>], {
      returning: [{ kind: 'column', column: { name }, alias: 'v' }],
    });
    const shape = queryShape(query);
    const plan = session.plan(query, shape);
    return plan === null
      ? ''
      : (session.run(query, shape, plan, { byteBudget: null, role: 'anon' })?.json ?? '');
  };

  it('every 64-bit integer is exact', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (big) => {
        expect(stored('big', String(big))).toBe(`[{"v":${big}}]`);
      }),
    );
  });

  it('every finite double is exact', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(JSON.parse(stored('real', value))).toEqual([{ v: value === 0 ? 0 : value }]);
      }),
    );
  });

  it('every text is itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        fc.pre(!text.includes('\u0000'));
        expect(JSON.parse(stored('note', text))).toEqual([{ v: text }]);
      }),
    );
  });

  it('every JSON value is itself', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        fc.pre(value !== null && !JSON.stringify(value).includes('\\u0000'));
        const expected = JSON.parse(JSON.stringify(value));
        expect(JSON.parse(stored('doc', value))).toEqual([{ v: expected }]);
      }),
    );
  });

  it('an integer in a column without a type stays an integer', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        expect(stored('loose', value)).toBe(`[{"v":${value}}]`);
      }),
    );
  });

  it('a blob where none is declared comes out as hexadecimal, and only then costs anything', () => {
    const { database, confinement } = session.connection;
    confinement.asBoard(() => database.exec(`delete from items; insert into items (note) values (x'00ff')`));
    const query = {
      kind: 'select',
      schema: 'public',
      table: 'items',
      select: [{ kind: 'column', column: { name: 'note' } }],
      where: { kind: 'compare', column: { name: 'note' }, op: 'gt', value: '\u{10ffff}', negated: false },
      order: [],
    } as const;
    const shape = queryShape(query);
    const plan = session.plan(query, shape);
    expect(plan && session.run(query, shape, plan, { byteBudget: null, role: 'anon' })?.json).toBe(
      '[{"note":"\\\\x00ff"}]',
    );
  });
});

describe('the codecs of storage processes', () => {
  it('frames come out as they went in, however the stream is cut', () => {
    const frame = fc.record({
      header: fc.record({ a: fc.bigInt({ min: 0n, max: 2n ** 70n }), b: fc.uint8Array(), c: fc.string() }),
      body: fc.string({ unit: 'grapheme' }),
    });
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 5 }),
        fc.array(fc.nat(40), { maxLength: 30 }),
        (frames, cuts) => {
          const bytes = Buffer.concat(frames.flatMap(({ header, body }) => [...encodeFrame(header, body)]));
          const reader = new FrameReader();
          const out = [];
          let start = 0;
          for (const cut of [...cuts, bytes.length]) {
            out.push(...reader.push(bytes.subarray(start, start + cut)));
            start = Math.min(bytes.length, start + cut);
          }
          expect(out).toEqual(frames);
        },
      ),
    );
  });

  it('a script of statements splits into them', () => {
    const statement = fc
      .array(fc.constantFrom('select', `'a;b'`, '"c;d"', '[e;f]', '1', '/* ; */', '-- ;\n', 'case', 'end'), {
        minLength: 1,
        maxLength: 6,
      })
      .map((words) => `select ${words.join(' ')}`.trim());
    fc.assert(
      fc.property(fc.array(statement, { maxLength: 5 }), (statements) => {
        expect(splitStatements(statements.join('\n;')).map(({ text }) => text)).toEqual(statements);
      }),
    );
  });

  it('the plan cache keeps the most recently used, as a list would', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'e'), write: fc.boolean() })),
        (steps) => {
          const evicted: string[] = [];
          const cache = new PlanCache<string>(3, (plan) => evicted.push(plan));
          let model: string[] = [];
          for (const { key, write } of steps) {
            if (write) cache.set(key, key);
            else expect(cache.get(key)).toBe(model.includes(key) ? key : undefined);
            if (write || model.includes(key)) model = [...model.filter((each) => each !== key), key];
            if (model.length > 3) expect(evicted.at(-1)).toBe(model.shift());
            expect(cache.size).toBe(model.length);
          }
        },
      ),
    );
  });
});
