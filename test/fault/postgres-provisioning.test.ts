import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedPostgres, embeddedPostgres } from '../support/embedded-postgres.ts';

let pg: EmbeddedPostgres;
beforeAll(async () => {
  pg = await embeddedPostgres();
  await pg.provider.provision('kept');
});
afterAll(() => pg.stop());

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const crash = async () => {
  process.kill(pg.server.pid ?? 0, 'SIGKILL');
  await pg.server.exited;
  await pg.restart();
};

describe('a server killed while a project is made or dropped', () => {
  it.each([4, 16, 32])('finishes making it when asked again (killed after %d ms)', async (ms) => {
    const ref = `made${ms}`;
    const first = pg.provider.provision(ref).catch((error: unknown) => error);
    await pause(ms);
    await crash();
    await first;
    const engine = await pg.engine(ref);
    const { json } = await engine.sql('CREATE TABLE t (a int); SELECT 1 AS one', [], pg.context(ref));
    expect(JSON.parse(json).rows).toEqual([{ one: 1 }]);
    await engine.close();
  });

  it.each([2, 12])('finishes dropping it when asked again (killed after %d ms)', async (ms) => {
    const ref = `dropped${ms}`;
    await pg.provider.provision(ref);
    const first = pg.provider.drop(ref).catch((error: unknown) => error);
    await pause(ms);
    await crash();
    await first;
    await pg.provider.drop(ref);
    expect(await pg.provider.reclaim(new Set(['kept', 'made4', 'made16', 'made32']))).toEqual([]);
  });
});
