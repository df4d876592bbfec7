import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CONFIG_FILE, SETTING_KEYS, SETTINGS } from '../../src/actors/bios/settings.ts';

const page = readFileSync(new URL('../../docs/config.md', import.meta.url), 'utf8');
/** Table rows, without the padding that a formatter gives them. */
const rows = page.split('\n').flatMap((line) => (/^\|.*`MAG_/.test(line) ? [line.replace(/ +/g, ' ')] : []));

describe('docs/config.md', () => {
  it('says of every setting what the table of settings says, and of nothing else', () => {
    const expected = SETTING_KEYS.map((key) => {
      const { env, flag, shown, doc } = SETTINGS[key];
      return `| \`${key}\` | \`${env}\` | \`--${flag}\` | ${shown} | ${doc} |`;
    });
    const { env, flag, fallback } = CONFIG_FILE;
    expected.push(`| | \`${env}\` | \`--${flag}\` | ${fallback} | Configuration file, read if present. |`);
    expect(rows).toEqual(expected);
  });
});
