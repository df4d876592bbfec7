import {
  DatabaseError,
  describeError,
  ERRORS,
  type ErrorCode,
  type ErrorDetails,
  MagError,
} from '../../errors.ts';

/** An error as it crosses a thread: structured clone would keep the message and lose code, status and hint. */
export interface WireError {
  readonly kind: 'mag' | 'database' | 'other';
  readonly name: string;
  readonly code: string | null;
  readonly message: string;
  readonly details: ErrorDetails;
  readonly hint: string | null;
  /** Seconds; an open circuit's is its own, not that of its code. */
  readonly retryAfter: number | null;
  readonly stack: string | null;
  /** The chain of causes as text: their objects may not be cloneable. */
  readonly cause: string | null;
}

export function toWire(error: unknown): WireError {
  const known = error instanceof MagError || error instanceof DatabaseError;
  const plain = error instanceof Error ? error : new Error(String(error));
  return {
    kind: error instanceof MagError ? 'mag' : error instanceof DatabaseError ? 'database' : 'other',
    name: plain.name,
    code: known ? error.code : codeOf(plain),
    message: plain.message,
    details: known ? error.details : null,
    hint: known ? error.hint : null,
    retryAfter: known ? error.retryAfter : null,
    stack: plain.stack ?? null,
    cause: plain.cause === undefined ? null : describeError(plain.cause),
  };
}

function codeOf(error: Error): string | null {
  return 'code' in error && typeof error.code === 'string' ? error.code : null;
}

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code);

function revive(wire: WireError): Error {
  const options = {
    details: wire.details,
    hint: wire.hint,
    ...(wire.retryAfter === null ? {} : { retryAfter: wire.retryAfter }),
    ...(wire.cause === null ? {} : { cause: new Error(wire.cause) }),
  };
  const code = wire.code ?? '';
  const details = typeof wire.details === 'string' ? wire.details : null;
  if (wire.kind === 'database') return new DatabaseError(code, wire.message, { ...options, details });
  if (wire.kind === 'mag' && isErrorCode(code)) return new MagError(code, {}, options);
  const error = new Error(wire.message, 'cause' in options ? { cause: options.cause } : undefined);
  error.name = wire.name;
  return wire.code === null ? error : Object.assign(error, { code: wire.code });
}

/** The error again, of its own class, with the message and the stack of where it was thrown. */
export function fromWire(wire: WireError): Error {
  const error = revive(wire);
  Object.defineProperty(error, 'message', { value: wire.message, configurable: true, writable: true });
  if (wire.stack !== null)
    Object.defineProperty(error, 'stack', { value: wire.stack, configurable: true, writable: true });
  return error;
}
