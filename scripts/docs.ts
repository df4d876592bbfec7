/** Writes docs/errors.md and docs/capabilities.md from their registries. Meta tests compare them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CAPABILITIES, type Capability, ENGINE_CAPABILITIES } from '../src/actors/storage/capabilities.ts';
import { ERRORS } from '../src/errors.ts';
import { ENGINE_KINDS } from '../src/protocol/project.ts';

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

// Object.keys gives string[]; the keys of this constant are exactly its own.
const capabilities = Object.keys(CAPABILITIES) as readonly Capability[];
const table = capabilities.map((capability) => {
  const cells = ENGINE_KINDS.map((engine) => (ENGINE_CAPABILITIES[engine].has(capability) ? 'yes' : '·'));
  return `| \`${capability}\` | ${CAPABILITIES[capability]} | ${cells.join(' | ')} |`;
});
const page = `# What each engine can do

From \`src/actors/storage/capabilities.ts\` (written by \`npm run docs\`). What every engine does, select, filter, order,
page, count, insert, upsert, update and delete, is not listed. What an engine cannot do is refused with
\`MAG_ENGINE_UNSUPPORTED\` (400), by the words below; nothing is approximated.

| capability | it can … | ${ENGINE_KINDS.join(' | ')} |
| --- | --- | ${ENGINE_KINDS.map(() => '---').join(' | ')} |
${table.join('\n')}
`;
writeFileSync(join(import.meta.dirname, '../docs/capabilities.md'), page);
