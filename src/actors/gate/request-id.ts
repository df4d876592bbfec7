import type { Host } from '../../runtime/host.ts';

const LONGEST = 128;

/** Letters, digits, `.`, `_`, `-`: nothing that could break a header or a log line. */
function isSane(id: string): boolean {
  if (id.length === 0 || id.length > LONGEST) return false;
  for (let at = 0; at < id.length; at += 1) {
    const code = id.charCodeAt(at);
    const letter = (code | 32) >= 97 && (code | 32) <= 122;
    const digit = code >= 48 && code <= 57;
    if (!letter && !digit && code !== 45 && code !== 46 && code !== 95) return false;
  }
  return true;
}

/** The id of the next request: the one it came with where that is sane, else a new one. */
export type RequestIds = (given: string | string[] | undefined) => string;

/** Ids unique over restarts by a random prefix, and within one by a counter: no entropy is spent per request. */
export function requestIds(host: Host): RequestIds {
  const prefix = `${Buffer.from(host.randomBytes(6)).toString('hex')}-`;
  let count = 0;
  return (given) => {
    if (typeof given === 'string' && isSane(given)) return given;
    count += 1;
    return prefix + count.toString(36);
  };
}
