import { createHash } from 'node:crypto';
import { redact } from './redact.ts';

/** What happened, as the caller tells it. `actor` is who did it, `target` what it was done to. */
export interface AuditEvent {
  /** `admin`, `console`, `cli`, `board`. */
  readonly actor: string;
  /** `project.create`, `actor.crash`, … */
  readonly action: string;
  readonly target: string;
  readonly reason: string | null;
  /** `ok`, or what went wrong. */
  readonly outcome: string;
}

/** An entry as it stands in the file: one JSON object a line, each sealed over itself and the one before. */
export interface AuditEntry extends AuditEvent {
  readonly seq: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Hash of the entry before, 64 zeros for the first. */
  readonly prev: string;
  readonly hash: string;
}

/** End of the chain: what the next entry is sealed over. */
export interface ChainHead {
  readonly seq: number;
  readonly hash: string;
}

export const GENESIS: ChainHead = { seq: 0, hash: '0'.repeat(64) };

/** Action of the entry that follows a torn line; its target is the torn text's SHA-256. */
export const REPAIRED = 'audit.repaired';

export const sha256Hex = (bytes: string | Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');

const SEAL = /,"hash":"([0-9a-f]{64})"\}$/;

/** The entry's line without a newline, and the chain's new end. The hash covers the line's text before it. */
export function sealEntry(event: AuditEvent, at: string, head: ChainHead): { line: string; head: ChainHead } {
  const seq = head.seq + 1;
  const body = JSON.stringify({
    seq,
    at,
    actor: redact(event.actor),
    action: event.action,
    target: redact(event.target),
    reason: event.reason === null ? null : redact(event.reason),
    outcome: redact(event.outcome),
    prev: head.hash,
  });
  const hash = sha256Hex(body);
  return { line: `${body.slice(0, -1)},"hash":"${hash}"}`, head: { seq, hash } };
}

/** The entry that a line holds, or null where its seal does not fit its text. */
export function openEntry(line: string): AuditEntry | null {
  const seal = SEAL.exec(line);
  if (seal === null || sha256Hex(`${line.slice(0, seal.index)}}`) !== seal[1]) return null;
  // The seal fits, so sealEntry wrote this text; its shape is known.
  return JSON.parse(line) as AuditEntry;
}
