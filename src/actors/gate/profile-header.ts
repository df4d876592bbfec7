/** What no header may hold: it would end there. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const CONTROLS = /[\u0000-\u0008\u000a-\u001f\u007f]/;

/**
 * A schema's name as a header says it: its UTF-8 bytes, each as a character, as PostgREST sends it; null where no header
 * can.
 */
export function toProfile(schema: string): string | null {
  if (CONTROLS.test(schema)) return null;
  return Buffer.from(schema, 'utf8').toString('latin1');
}

/** The name that a header's bytes are in UTF-8. */
export const fromProfile = (header: string): string => Buffer.from(header, 'latin1').toString('utf8');
