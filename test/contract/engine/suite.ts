import { afterAll, beforeAll, beforeEach, describe } from 'vitest';
import { ENGINE_CAPABILITIES } from '../../../src/actors/storage/capabilities.ts';
import type { EngineKind } from '../../../src/protocol/project.ts';
import { embeds } from './embeds.ts';
import { expressions } from './expressions.ts';
import { failures } from './failures.ts';
import { nativeSql } from './native-sql.ts';
import { reading } from './reading.ts';
import { type EngineUnderTest, Subject } from './subject.ts';
import { transactions } from './transactions.ts';
import { values } from './values.ts';
import { writing } from './writing.ts';

/**
 * What every SQL engine must do, whatever runs it. Call it from a test file of the engine:
 * `engineContract('sqlite', async () => ({ engine, context, words, close }))`.
 */
export function engineContract(name: EngineKind, makeEngine: () => Promise<EngineUnderTest>): void {
  describe(`the ${name} engine`, () => {
    let under: EngineUnderTest;
    const subject = (): Subject => new Subject(under);

    beforeAll(async () => {
      under = await makeEngine();
      const { autoKey, json, bytes, longText = 'text' } = under.words;
      const test = subject();
      await test.sql(
        `create table items (id ${autoKey}, name text not null unique, qty integer default 7,
         price double precision, done boolean default false, attrs ${json}, big bigint, note ${longText}, raw ${bytes})`,
      );
      await test.sql(
        `create table parts (id ${autoKey}, item_id integer not null references items (id), label text)`,
      );
      await test.sql('create table pairs (a integer, b integer, v text, primary key (a, b))');
      await test.sql('create view cheap as select id, name, price from items where price < 5');
    });

    beforeEach(async () => {
      const test = subject();
      await test.sql('delete from parts');
      await test.sql('delete from pairs');
      await test.sql('delete from items');
    });

    afterAll(async () => {
      await under.close();
    });

    reading(subject);
    writing(subject);
    values(subject);
    failures(subject);
    nativeSql(subject);
    transactions(subject);
    const can = ENGINE_CAPABILITIES[name];
    if (can.has('embed')) embeds(subject, { aggregates: can.has('aggregate') });
    expressions(subject, can);
  });
}
