/** Writes docs/errors.md from the registry. A meta test compares the two. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERRORS } from '../src/errors.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|');
const rows = Object.entries(ERRORS).map(
  ([code, entry]) => `| \`${code}\` | ${entry.status} | ${cell(entry.message)} | ${cell(entry.hint ?? '')} |`,
);
const text = `# Errors

Every error that a client, a user or an operator can meet, from \`src/errors.ts\` (written by \`npm run docs\`).
Over HTTP an error is \`{code, message, details, hint}\` with this status; 503 and 429 carry \`retry-after\`.
What a database itself reports comes under its SQLSTATE (SQLite's errors are mapped onto the same codes).

| code | status | message | hint |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
writeFileSync(join(import.meta.dirname, '../docs/errors.md'), text);
