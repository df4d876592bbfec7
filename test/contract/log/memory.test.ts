import { openMemoryLog } from '../../../src/streams/log/log-memory.ts';
import { logContract } from './suite.ts';

logContract({
  name: 'a log in memory',
  isDurable: false,
  place: () => ({ open: async (host) => openMemoryLog({ host }) }),
});
