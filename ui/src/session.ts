import { signal } from '@preact/signals';
import { ApiError, address, api } from './api.ts';

export type SessionState = 'unknown' | 'signed_in' | 'signed_out';

export const session = signal<SessionState>('unknown');
/** Why the last sign-in failed. */
export const signInError = signal<ApiError | null>(null);

/** The cookie itself is out of reach for scripts; this only says that asking for it makes sense. */
const HINT = 'magmobo.session';

const remember = (signedIn: boolean): void => {
  try {
    if (signedIn) localStorage.setItem(HINT, '1');
    else localStorage.removeItem(HINT);
  } catch {
    // Storage may be forbidden: the page then asks for the key after a reload.
  }
};

const hinted = (): boolean => {
  try {
    return localStorage.getItem(HINT) !== null;
  } catch {
    return false;
  }
};

const asApiError = (error: unknown): ApiError =>
  error instanceof ApiError ? error : new ApiError(0, 'UNEXPECTED', String(error), null);

export async function signIn(credential: { key: string } | { ticket: string }): Promise<void> {
  try {
    await api.signIn(credential);
    signInError.value = null;
    remember(true);
    session.value = 'signed_in';
  } catch (error) {
    const { status, code, message, hint } = asApiError(error);
    // What to do about a wrong key is said for programs: a header. Here there is a field.
    signInError.value = new ApiError(status, code, message, status === 401 ? null : hint);
    session.value = 'signed_out';
  }
}

export async function signOut(): Promise<void> {
  try {
    await api.signOut();
    signInError.value = null;
  } catch (error) {
    // Here it is over either way; at the board it may not be.
    signInError.value = asApiError(error);
  }
  remember(false);
  session.value = 'signed_out';
}

/** The board no longer accepts our session. */
export function expireSession(): void {
  if (session.value !== 'signed_in') return;
  remember(false);
  signInError.value = null;
  session.value = 'signed_out';
}

/** Whether the session still holds; only a clear refusal ends it, an unreachable board does not. */
export async function checkSession(): Promise<void> {
  try {
    await api.projects();
  } catch (error) {
    const { status } = asApiError(error);
    if (status === 401 || status === 403) expireSession();
  }
}

/** Exchanges a one-time ticket in the address, and takes it out of the address and the history either way. */
export async function startSession(): Promise<void> {
  const here = new URL(location.href);
  const ticket = here.searchParams.get('ticket');
  if (ticket !== null) {
    here.searchParams.delete('ticket');
    history.replaceState(null, '', here);
    return signIn({ ticket });
  }
  session.value = hinted() ? 'signed_in' : 'signed_out';
}

/** The scope's WebSocket address. */
export function scopeAddress(): string {
  const url = address('admin/v1/scope');
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}
