import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ChainReader } from './chain.ts';

const NAME = /^audit-\d{6}\.jsonl$/;

export interface AuditVerdict {
  readonly ok: boolean;
  readonly entries: number;
  /** The first thing that is wrong, or null. */
  readonly problem: string | null;
}

/** `audit-202611.jsonl` for a time in November 2026 (milliseconds since the epoch, UTC). */
export const fileNameAt = (wallTime: number): string =>
  `audit-${new Date(wallTime).toISOString().slice(0, 7).replace('-', '')}.jsonl`;

/** Names of the trail's files, oldest first. */
export const auditFiles = (folder: string): readonly string[] =>
  readdirSync(folder)
    .filter((name) => NAME.test(name))
    .sort();

/** Lines as we wrote them: node:readline would also split at the separators U+2028 and U+2029 inside a reason. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of createReadStream(path, 'utf8')) {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

/** Reads the whole trail from its first entry. A change, a removal or a swap anywhere but at the very end shows. */
export async function verifyTrail(folder: string): Promise<AuditVerdict> {
  const reader = new ChainReader(true);
  for (const name of auditFiles(folder)) {
    let number = 0;
    for await (const text of linesOf(join(folder, name))) {
      number += 1;
      reader.line(text, `${name} line ${number}`);
    }
  }
  reader.end();
  return { ok: reader.problem === null, entries: reader.entries, problem: reader.problem };
}
