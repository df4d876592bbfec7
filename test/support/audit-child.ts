import { openAuditLog } from '../../src/actors/audit/audit-log.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';

/** Appends to the trail in a folder until it is killed; writes the number of each entry that was acknowledged. */
const audit = await openAuditLog(process.argv[2] ?? '', nodeHost(), silentLog);
const reason = 'x'.repeat(500);
async function writer(first: number): Promise<void> {
  for (let number = first; ; number += 4) {
    await audit.append({ actor: 'admin', action: 'test', target: `n${number}`, reason, outcome: 'ok' });
    process.stdout.write(`n${number}\n`);
  }
}
await Promise.all([0, 1, 2, 3].map(writer));
