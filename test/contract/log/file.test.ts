import { join } from 'node:path';
import { openFileLog } from '../../../src/streams/log/log-file.ts';
import { testFolder } from '../../support/temporary-folder.ts';
import { logContract } from './suite.ts';

logContract({
  name: 'a log in a folder',
  isDurable: true,
  place: () => {
    const folder = join(testFolder(), 'log');
    return { open: (host) => openFileLog({ folder, host, segmentBytes: 128 * 1024 }) };
  },
});
