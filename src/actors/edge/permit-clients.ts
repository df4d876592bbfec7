import { ENGINE_KINDS, type EngineKind } from '../../protocol/project.ts';
import type { Host } from '../../runtime/host.ts';
import { PermitClient } from '../storage/permit-client.ts';
import type { Permits } from '../storage/permits.ts';
import type { Uplink } from './uplink.ts';

const PERMITS = 'board/permits';

/** This worker's side of the permits of each engine's server. */
export function permitClients(
  uplink: Uplink,
  owner: string,
  host: Host,
  graceMs: number,
): Readonly<Record<EngineKind, Permits>> {
  // Tells these clients' releases from those of earlier ones of the same worker.
  const tag = Buffer.from(host.randomBytes(9)).toString('base64url');
  const make = (engine: EngineKind): PermitClient =>
    new PermitClient(host, {
      lease: (key, wanted, waitMs) =>
        uplink.ask<number>(
          PERMITS,
          { type: 'PERMIT_LEASE', owner, engine, key, wanted, waitMs },
          waitMs + graceMs,
        ),
      release: (key, count, serial) =>
        uplink.send(PERMITS, { type: 'PERMIT_RELEASE', owner, engine, key, count, tag, serial }),
    });
  const clients = Object.fromEntries(ENGINE_KINDS.map((kind) => [kind, make(kind)])) as Record<
    EngineKind,
    PermitClient
  >; // one for each
  const of = (engine: unknown): PermitClient => clients[engine as EngineKind]; // sent by board/permits.ts
  uplink.on('PERMITS_HELD', () => {
    const reports = Object.entries(clients).map(([kind, client]) => [kind, client.report()]);
    return { tag, engines: Object.fromEntries(reports) };
  });
  uplink.on('PERMITS_IDLE', ({ engine, wanted }) => of(engine).idle(Number(wanted)));
  uplink.on('PERMITS_TAKE', ({ engine, count }) => of(engine).take(Number(count)));
  uplink.on('PERMIT_RECALL', ({ engine, key, urgency, wanted }) =>
    of(engine).recalled(String(key), urgency === 'next' ? 'next' : 'idle', Number(wanted)),
  );
  return clients;
}
