import { LIMITS } from '../../limits.ts';

/** A token as HTTP has it. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What Node writes as it is; a line's end would begin another header. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Headers that say how the reply travels, or what a browser keeps of the whole board: one origin serves many projects,
 * and the board's own pages. That a type is not guessed has one value, and the first one of two counts.
 */
const KEPT = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'content-length', 'transfer-encoding', 'trailer'],
  ...[
    'upgrade',
    'te',
    'x-request-id',
    'clear-site-data',
    'service-worker-allowed',
    'accept-ch',
    'critical-ch',
  ],
  ...['strict-transport-security', 'alt-svc', 'access-control-allow-credentials', 'x-content-type-options'],
  // To whom a browser reports every address of the origin that it asks for: tickets and keys may stand in them.
  ...['nel', 'report-to', 'public-key-pins', 'public-key-pins-report-only', 'expect-ct'],
]);

/**
 * The console's session is the board's: no project signs an operator in or out. A cookie without a name is sent as its
 * value alone, which may look like another one's name.
 */
const isBoards = (name: string, value: string): boolean =>
  KEPT.has(name) || (name === 'set-cookie' && /^[\s=]*mag_/i.test(value));

/** What SQL of a project calls a status, in UTF-8, as the reply takes it; null where it cannot, or is none. */
export function allowedPhrase(text: string): string | null {
  const phrase = Buffer.from(text).toString('latin1');
  const fits = VALUE.test(phrase) && phrase.length <= LIMITS.responseHeaderBytes;
  return fits && phrase.trim() !== '' ? phrase : null;
}

/**
 * Headers that SQL of a project asks for, in UTF-8, as the reply takes them: names and values in turn. Those that are
 * not a project's to say are left out. Null where one of them is none, or all together are too long.
 */
export function allowedHeaders(pairs: readonly (readonly [string, string])[]): string[] | null {
  const headers: string[] = [];
  let bytes = 0;
  for (const [name, text] of pairs) {
    const value = Buffer.from(text).toString('latin1');
    bytes += name.length + value.length;
    if (!NAME.test(name) || !VALUE.test(value) || bytes > LIMITS.responseHeaderBytes) return null;
    if (!isBoards(name.toLowerCase(), value)) headers.push(name.toLowerCase(), value);
  }
  return headers;
}
