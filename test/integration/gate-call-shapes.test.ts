import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';
import { handleOf, REF, SERVICE, startGate, type TestGate } from '../support/gate.ts';

const DDL = `
create table pets (id int primary key, name text, owner int);
create table owners (id int primary key);
alter table pets add foreign key (owner) references owners;
insert into owners values (7); insert into pets values (1, 'rex', 7), (2, 'tom', 7);
create type spot as (x int, y int);
create domain place as spot;
create domain far_place as place;
create domain a_pet as pets;
create function a_record() returns record language sql as 'select id, name from pets where id = 1';
create function records(lowest int) returns setof record language sql as 'select id, name from pets where id >= lowest order by id';
create function somewhere() returns far_place language sql as $$ select row(1, 2)::spot::place::far_place $$;
create function a_pet() returns setof a_pet language sql as 'select pets::a_pet from pets where id = 2';
create function texts(c char, b bit, cs char[]) returns text language sql as $$ select concat_ws('|', c, b, cs::text) $$;
create function joined(variadic v text[]) returns text language sql as $$ select array_to_string(v, '+') $$;
create function add(a int, b int) returns int language sql as 'select a + b';
create function doc(d json) returns text language sql as $$ select d->>'a' $$;
create function length_of(json) returns int language sql as 'select json_array_length($1)';`;

let server: EmbeddedPostgres;
let board: TestGate;
const call = async (name: string, body: unknown = {}, type = 'application/json'): Promise<unknown> => {
  const headers = { apikey: SERVICE, 'content-type': type };
  const reply = await board.call('POST', `/p/${REF}/rest/v1/rpc/${name}`, body, headers);
  return reply.json();
};

beforeAll(async () => {
  server = await embeddedPostgres();
  board = await startGate();
  board.session = await server.engine(REF);
  board.project = { ...handleOf(REF, SERVICE), engine: 'postgres' };
  const made = await board.call('POST', `/p/${REF}/sql/v1`, { query: DDL }, { apikey: SERVICE });
  expect(made.status, await made.text()).toBe(200);
});
afterAll(async () => {
  await board.gate.close();
  await server.stop();
});

describe('what a function of PostgreSQL gives', () => {
  it('may be records that say their columns only when they are there', async () => {
    expect(await call('a_record')).toEqual({ id: 1, name: 'rex' });
    expect(await call('records', { lowest: 1 })).toEqual([
      ...[
        { id: 1, name: 'rex' },
        { id: 2, name: 'tom' },
      ],
    ]);
  });

  it("is a row, and a table's, also where it is of a domain over it", async () => {
    expect(await call('somewhere')).toEqual({ x: 1, y: 2 });
    expect(await call('a_pet?select=name,owners(id)')).toEqual([{ name: 'tom', owners: { id: 7 } }]);
  });
});

describe('what a function of PostgreSQL takes', () => {
  it('is as long as it is where the type says nothing of that', async () => {
    const given = { c: 'abc', b: '101', cs: ['ab', 'c'] };
    expect(await call('texts', given)).toBe('abc|101|{ab,c}');
    const reply = await board.get(`/p/${REF}/rest/v1/rpc/texts?c=abc&b=101&cs={ab,c}`, { apikey: SERVICE });
    expect(await reply.json()).toBe('abc|101|{ab,c}');
  });

  it('are texts in a form and in CSV, whose first row counts, as the first object of a list does', async () => {
    const form = 'application/x-www-form-urlencoded';
    expect(await call('joined', 'v=hi', form)).toBe('hi');
    expect(await call('joined', 'v=a&v=b', form)).toBe('a+b');
    expect(await call('doc', 'd={"a":"x"}', form)).toBe('x');
    expect(await call('add', 'a,b\n1,2\n4,6', 'text/csv')).toBe(3);
    expect(
      await call('add', [
        { a: 1, b: 2 },
        { a: 4, b: 6 },
      ]),
    ).toBe(3);
    expect(await call('length_of', [{ a: 1 }, { a: 2 }])).toBe(2);
  });
});
