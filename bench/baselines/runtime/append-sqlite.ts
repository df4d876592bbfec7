/** What one would write by hand for a durable log: 64 appends per transaction, synchronous FULL, in the folder it runs in. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { event, MS, WARM_UP_MS, WRITERS } from '../../events.ts';
import { measure } from '../../program.ts';

function append(folder: string): number {
  const db = new DatabaseSync(join(folder, 'baseline.sqlite'));
  db.exec(`
    pragma journal_mode = wal;
    pragma synchronous = full;
    create table log (seq integer primary key, at integer not null, event text not null)`);
  const insert = db.prepare('insert into log (at, event) values (?, ?)');
  let next = 0;
  const run = (ms: number): number => {
    const from = next;
    const started = performance.now();
    while (performance.now() - started < ms) {
      db.exec('begin immediate');
      for (let n = 0; n < WRITERS; n += 1) {
        insert.run(Date.now(), JSON.stringify(event(next)));
        next += 1;
      }
      db.exec('commit');
    }
    return (next - from) / ((performance.now() - started) / 1_000);
  };
  run(WARM_UP_MS);
  const perSecond = run(MS);
  db.close();
  return perSecond;
}

await measure({ append: () => append('.') });
