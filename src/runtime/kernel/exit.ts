import { describeError } from '../../errors.ts';
import type { ExitKind } from '../../machines/restart.ts';
import type { Core } from '../core.ts';
import type { Down, ExitReason } from '../system.ts';

/** Why an incarnation ended. */
export type Exit =
  | { readonly kind: 'normal' }
  | { readonly kind: 'shutdown'; readonly reason: string }
  | { readonly kind: 'killed' }
  | { readonly kind: 'error'; readonly error: unknown };

export const NORMAL: Exit = { kind: 'normal' };
export const KILLED: Exit = { kind: 'killed' };

/** The reason as a monitor is told it: whatever was thrown is an Error there. */
export function exitReason(exit: Exit): ExitReason {
  if (exit.kind !== 'error') return exit;
  const { error } = exit;
  return { kind: 'error', error: error instanceof Error ? error : new Error(describeError(error)) };
}

/** A monitor that throws must not keep the others, or the supervisor, from being told. */
export function tellDown(core: Core, listener: (down: Down) => void, down: Down): void {
  try {
    listener(down);
  } catch (error) {
    core.log.error({ path: down.path, error: describeError(error) }, 'a monitor threw');
  }
}

/** A kill is an error to a supervisor, as in OTP: nobody asked the actor to end in order. */
export function exitKind(exit: Exit | null): ExitKind {
  if (exit === null) return 'normal';
  return exit.kind === 'killed' ? 'error' : exit.kind;
}
