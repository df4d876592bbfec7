import { describe } from 'vitest';
import { openMysqlEngine } from '../../../src/actors/storage/mysql/engine.ts';
import { localPermits } from '../../../src/actors/storage/permits.ts';
import { silentLog } from '../../../src/runtime/log.ts';
import { externalMysql } from '../../support/mysql.ts';
import { service } from '../../support/services/index.ts';
import { engineContract } from './suite.ts';

describe.skipIf(!service('mariadb').available)('on MariaDB', () => {
  engineContract('mysql', async () => {
    const ref = 'contract';
    const mysql = externalMysql();
    return {
      engine: await mysql.engine(ref),
      context: ({ ms, signal } = {}) => mysql.context(ref, ms, signal),
      words: {
        autoKey: 'integer auto_increment primary key',
        json: 'json',
        bytes: 'longblob',
        longText: 'longtext',
        placeholder: () => '?',
        slow: 'select sum(a.seq * b.seq) from seq_1_to_1000000 a, seq_1_to_1000000 b',
        series: (rows) => `select seq as n from seq_1_to_${rows}`,
      },
      another: async () => {
        const connection = await mysql.connection(ref);
        const permits = localPermits({ perKey: 10, total: 80, waiters: 100, host: mysql.host });
        return openMysqlEngine({ connection, ref, host: mysql.host, log: silentLog, permits });
      },
      close: () => mysql.stop(),
    };
  });
});
