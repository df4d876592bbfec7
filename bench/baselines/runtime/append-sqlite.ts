/** What one would write by hand for a durable log: 64 appends per transaction, synchronous FULL, in the folder it runs in. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { measure } from '../../program.ts';

const GROUP = 64;
const PAYLOAD_BYTES = 100;
const WARM_UP_MS = 300;
const MS = 1_500;

function appends(folder: string): number {
  const db = new DatabaseSync(join(folder, 'baseline.sqlite'));
  db.exec('pragma journal_mode = wal; pragma synchronous = full');
  db.exec(
    'create table log (seq integer primary key, type text not null, at integer not null, payload blob not null)',
  );
  const insert = db.prepare('insert into log (type, at, payload) values (?, ?, ?)');
  const payload = new Uint8Array(PAYLOAD_BYTES).fill(7);
  const run = (ms: number): number => {
    const started = performance.now();
    let done = 0;
    while (performance.now() - started < ms) {
      db.exec('begin immediate');
      for (let n = 0; n < GROUP; n += 1) insert.run('tick', Date.now(), payload);
      db.exec('commit');
      done += GROUP;
    }
    return done / ((performance.now() - started) / 1_000);
  };
  run(WARM_UP_MS);
  const perSecond = run(MS);
  db.close();
  return perSecond;
}

await measure({ append: () => appends('.') });
