import { join } from 'node:path';
import { openSqliteLog } from '../../../src/streams/log/log-sqlite.ts';
import { testFolder } from '../../support/temporary-folder.ts';
import { logContract } from './suite.ts';

logContract({
  name: 'a log in SQLite',
  isDurable: true,
  place: () => {
    const path = join(testFolder(), 'log.db');
    return { open: async (host) => openSqliteLog({ path, host }) };
  },
});
