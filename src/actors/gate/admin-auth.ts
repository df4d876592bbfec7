import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { EdgePorts } from '../edge/ports.ts';
import { bearerOf } from '../psu/project-key-check.ts';

export const SESSION_COOKIE = 'mag_session';

/** The value of one cookie; undefined where it is missing. */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined;
  for (const part of header.split(';')) {
    const pair = part.trim();
    if (pair.startsWith(`${name}=`)) return pair.slice(name.length + 1);
  }
  return undefined;
}

/** Who acts, for the audit trail: the console by its cookie, the command line by its header, else `admin`. */
export type AdminActor = 'admin' | 'console' | 'cli';

interface Presented {
  readonly credential: string;
  readonly actor: AdminActor;
}

/**
 * Whether a browser sends this from the board's own pages. A cookie is sent to every port of a host, and SameSite
 * does not tell ports apart: without this a page of another server on the same machine could act as the operator.
 */
function isOwnPage(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
  const { origin, host } = headers;
  return origin === undefined || origin.slice(origin.indexOf('://') + 3) === host;
}

function presented(headers: IncomingHttpHeaders, token: string | undefined): Presented | null {
  const bearer = bearerOf(headers.authorization);
  if (bearer !== undefined && bearer !== '') {
    return { credential: bearer, actor: headers['x-mag-client'] === 'cli' ? 'cli' : 'admin' };
  }
  const cookie = cookieOf(headers.cookie, SESSION_COOKIE);
  if (cookie !== undefined && cookie !== '' && isOwnPage(headers))
    return { credential: cookie, actor: 'console' };
  return token === undefined || token === '' ? null : { credential: token, actor: 'admin' };
}

/**
 * Knows the operator: admin key or console session, verified by the main thread, a right key remembered as a
 * digest for LIMITS.adminVerifyMs. Wrong ones are asked about each time, and only a few at once.
 */
export class AdminAuth {
  readonly #ports: Pick<EdgePorts, 'admin' | 'host'>;
  /** Digest of a right credential → until when it is taken for right without asking. */
  readonly #right = new Map<string, number>();
  #asking = 0;

  constructor(ports: Pick<EdgePorts, 'admin' | 'host'>) {
    this.#ports = ports;
  }

  /** `token`: an `access_token` of the query, for WebSockets. Throws MAG_ADMIN_KEY_INVALID or MAG_RATE_LIMITED. */
  async require(headers: IncomingHttpHeaders, token?: string): Promise<AdminActor> {
    const found = presented(headers, token);
    if (found === null || found.credential.length > LIMITS.credentialBytes) {
      throw new MagError('MAG_ADMIN_KEY_INVALID');
    }
    const digest = hash('sha256', found.credential, 'hex');
    const until = this.#right.get(digest);
    if (until !== undefined && this.#ports.host.now() < until) return found.actor;
    if (!(await this.#ask(found.credential))) throw new MagError('MAG_ADMIN_KEY_INVALID');
    // Signing out takes effect at once: another edge worker would go on taking what it remembers for right.
    if (found.credential.startsWith(`${SESSION_COOKIE}_`)) return found.actor;
    if (this.#right.size >= LIMITS.adminCredentials) this.#right.clear();
    this.#right.set(digest, this.#ports.host.now() + LIMITS.adminVerifyMs);
    return found.actor;
  }

  async #ask(credential: string): Promise<boolean> {
    if (this.#asking >= LIMITS.adminVerifications) throw new MagError('MAG_RATE_LIMITED');
    this.#asking += 1;
    try {
      return await this.#ports.admin.request('ADMIN_VERIFY', { credential });
    } finally {
      this.#asking -= 1;
    }
  }
}
