import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { LIMITS } from '../../limits.ts';
import type { Host } from '../../runtime/host.ts';

/** Sessions of the admin console: a signed token that says when it ends, and one-time tickets to get one. */
export interface ConsoleSessions {
  /** A ticket for the login link; works once, for ten minutes. The oldest gives way when too many are open. */
  issueTicket(): string;
  /** Whether the ticket was valid; it no longer is afterwards. */
  redeemTicket(ticket: string): boolean;
  issueToken(): { readonly token: string; readonly expiresInSeconds: number };
  verifyToken(token: string): boolean;
  /** A valid token is none from now on, until the board starts again. */
  closeToken(token: string): void;
  /** Counts a refused login. Gives how many the audit trail has not been told of, or null where it is told later. */
  refused(): number | null;
}

/** When it ends, what tells it from others that end then, and the signature of both. */
const TOKEN = /^mag_session_(([0-9a-z]{1,11})\.[A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{43})$/;

/**
 * `bindTo` is the admin key's fingerprint: a changed admin key ends every session. Tokens are stateless, so they
 * survive a restart of the board; tickets do not.
 */
export function createConsoleSessions(masterKey: Uint8Array, bindTo: string, host: Host): ConsoleSessions {
  const key = createHmac('sha256', masterKey).update(`console-session:${bindTo}`).digest();
  const sign = (claim: string): Buffer => createHmac('sha256', key).update(claim).digest();
  /** Digest of the ticket → when it ends, on the monotonic clock; in order of issue. */
  const tickets = new Map<string, number>();
  /** Claims of tokens that were signed out, oldest first. */
  const closed = new Set<string>();
  /** Refused logins: those not told of yet, those told of in this window, and when it ends. */
  const refusals = { untold: 0, told: 0, until: Number.NEGATIVE_INFINITY };
  const digest = (ticket: string): string => createHash('sha256').update(ticket).digest('hex');
  /** What a valid token was signed for, or null. */
  const claimOf = (token: string): string | null => {
    const [, claim, expiry, signature] = TOKEN.exec(token) ?? [];
    if (claim === undefined || expiry === undefined || signature === undefined) return null;
    if (!timingSafeEqual(Buffer.from(signature, 'base64url'), sign(claim))) return null;
    return host.wallTime() < Number.parseInt(expiry, 36) && !closed.has(claim) ? claim : null;
  };

  return {
    issueTicket: () => {
      const ticket = `mag_ticket_${Buffer.from(host.randomBytes(24)).toString('base64url')}`;
      const oldest = tickets.keys().next();
      if (tickets.size >= LIMITS.loginTickets && !oldest.done) tickets.delete(oldest.value);
      tickets.set(digest(ticket), host.now() + LIMITS.loginTicketMs);
      return ticket;
    },
    redeemTicket: (ticket) => {
      const found = digest(ticket);
      const end = tickets.get(found);
      tickets.delete(found);
      return end !== undefined && host.now() < end;
    },
    issueToken: () => {
      const expiry = (host.wallTime() + LIMITS.consoleSessionMs).toString(36);
      const claim = `${expiry}.${Buffer.from(host.randomBytes(12)).toString('base64url')}`;
      return {
        token: `mag_session_${claim}.${sign(claim).toString('base64url')}`,
        expiresInSeconds: Math.floor(LIMITS.consoleSessionMs / 1000),
      };
    },
    refused: () => {
      refusals.untold += 1;
      const now = host.now();
      if (now >= refusals.until) Object.assign(refusals, { told: 0, until: now + LIMITS.refusedSessionsMs });
      if (refusals.told >= LIMITS.refusedSessions) return null;
      const { untold } = refusals;
      refusals.told += 1;
      refusals.untold = 0;
      return untold;
    },
    verifyToken: (token) => claimOf(token) !== null,
    closeToken: (token) => {
      const claim = claimOf(token);
      if (claim === null) return;
      const oldest = closed.values().next();
      if (closed.size >= LIMITS.closedSessions && !oldest.done) closed.delete(oldest.value);
      closed.add(claim);
    },
  };
}
