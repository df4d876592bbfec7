import { MagError } from '../../errors.ts';
import type { AdminPort, AdminRequests, AdminRequestType } from '../../protocol/admin.ts';
import type { ComponentContext, ComponentService, Message } from '../../runtime/spec.ts';

/** This edge worker's way to the rest of the board: it asks and sends by path, and hands out what arrives by type. */
export interface Uplink extends AdminPort {
  /** Path that others push to: `board/edges/edge-1/uplink`. */
  readonly path: string;
  ask<Reply>(path: string, message: Message, timeout?: number): Promise<Reply>;
  send(path: string, message: Message): void;
  /** Messages of this type go to the listener; one listener a type. */
  on(type: string, listener: (message: Message) => unknown): void;
}

const ADMIN = 'board/admin';

/** Requests that make or drop a database wait for the engine's server, which may have to boot first. */
const SLOW_REQUESTS: ReadonlySet<AdminRequestType> = new Set([
  'PROJECT_CREATE',
  'PROJECT_DELETE',
  'PROJECT_RESOLVE',
  'ACTOR_COMMAND',
]);
const SLOW_TIMEOUT_MS = 60_000;

export function startUplink(context: ComponentContext): ComponentService {
  const listeners = new Map<string, (message: Message) => unknown>();
  const api: Uplink = {
    path: context.self.path,
    ask: (path, message, timeout) =>
      context.system.slot(path).ask(message, timeout === undefined ? {} : { timeout }),
    send: (path, message) => {
      context.system.slot(path).send(message);
    },
    on: (type, listener) => {
      listeners.set(type, listener);
    },
    request: <Type extends AdminRequestType>(type: Type, request: AdminRequests[Type]['request']) => {
      const timeout = SLOW_REQUESTS.has(type) ? { timeout: SLOW_TIMEOUT_MS } : {};
      return context.system.slot(ADMIN).ask<AdminRequests[Type]['reply']>({ ...request, type }, timeout);
    },
  };
  return {
    api,
    handle: (message) => {
      if (message.type === 'FAULT') return commitFault(context, message);
      const listener = listeners.get(message.type);
      if (listener === undefined)
        throw new MagError('MAG_ACTOR_NOT_FOUND', { path: `${context.self.path} for ${message.type}` });
      return listener(message);
    },
  };
}

/** Long enough for the reply to whoever asked for the fault, which may come through this very thread. */
const FAULT_DELAY_MS = 50;

/** Fault injection that needs the thread itself; main has checked that it is allowed, and written it to the audit log. */
function commitFault({ host }: ComponentContext, { fault }: Message): void {
  host.setTimer(FAULT_DELAY_MS, () => {
    if (fault === 'exit') process.exit(1);
    // For ever: only the watchdog of the thread above ends this.
    while (fault === 'spin');
  });
}
