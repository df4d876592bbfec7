import { hash } from 'node:crypto';
import type { EdgePorts } from '../../src/actors/edge/ports.ts';
import { buildGate, type Gate, type GateOptions } from '../../src/actors/gate/gate.ts';
import type { Engine } from '../../src/actors/storage/engine.ts';
import { MagError } from '../../src/errors.ts';
import type { AdminPort, AdminRequests, AdminRequestType } from '../../src/protocol/admin.ts';
import type { BoardStatus } from '../../src/protocol/board-status.ts';
import type { Grant } from '../../src/protocol/principal.ts';
import type { ProjectHandle } from '../../src/protocol/project.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import type { Log } from '../../src/runtime/log.ts';
import { MemoryEngine } from './memory-engine.ts';

export const ANON = 'mag_anon_key_for_tests';
export const SERVICE = 'mag_service_key_for_tests';
export const OTHER = 'mag_service_key_of_another_project';
export const ADMIN = 'an-admin-key-for-tests';
export const REF = 'abcdefghijklmnop';

export function handleOf(ref: string, service: string, grants: readonly Grant[] = []): ProjectHandle {
  return {
    ref,
    name: ref,
    engine: 'sqlite',
    status: 'ready',
    keyVersion: 1,
    version: 1,
    settings: { grants },
    createdAt: '2026-01-01T00:00:00.000Z',
    connection: { engine: 'sqlite', file: 'none' },
    keyDigests: { anon: hash('sha256', ANON, 'hex'), service: hash('sha256', service, 'hex') },
  };
}

interface Asked {
  readonly type: AdminRequestType;
  readonly request: object;
}

export interface TestGate {
  readonly gate: Gate;
  readonly url: string;
  readonly port: number;
  readonly engine: MemoryEngine;
  /** What the gate opens for the project; the engine in memory unless a test puts a real one here. */
  session: Engine;
  readonly asked: Asked[];
  readonly nudged: string[];
  readonly logged: object[];
  status: BoardStatus;
  project: ProjectHandle;
  answers: Partial<{ [Type in AdminRequestType]: (request: AdminRequests[Type]['request']) => unknown }>;
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
}

function fakeAdmin(test: () => TestGate): AdminPort {
  return {
    request: async (type, request) => {
      test().asked.push({ type, request });
      const answer = test().answers[type];
      if (answer === undefined) throw new MagError('MAG_COMPONENT_UNAVAILABLE', { name: 'admin' });
      // Each answer is typed under its own request in `answers`.
      return (answer as (request: object) => never)(request);
    },
  };
}

/** Collects what is logged, so that a test can look for it. */
function logInto(logged: object[]): Log {
  const write = (fields: object, message: string): void => {
    logged.push({ ...fields, message });
  };
  const log: Log = { debug: () => {}, info: write, warn: write, error: write, child: () => log };
  return log;
}

/** A gate on a free port, with one project on an engine in memory and a main thread that answers as told. */
export async function startGate(
  grants: readonly Grant[] = [],
  options: GateOptions = {},
  on = 0,
): Promise<TestGate> {
  const engine = new MemoryEngine();
  const logged: object[] = [];
  const nudged: string[] = [];
  const ports: EdgePorts = {
    host: nodeHost(),
    log: logInto(logged),
    name: 'edge-test',
    admin: fakeAdmin(() => test),
    directory: {
      find: (ref) => {
        if (ref === REF) return test.project;
        return Promise.resolve(ref === 'otherproject' ? handleOf(ref, OTHER) : null);
      },
      onChange: () => () => {},
    },
    sessions: { open: () => test.session },
    feed: {
      activate: () => Promise.reject(new MagError('MAG_FEED_UNAVAILABLE', { ref: REF, why: 'a test' })),
      follow: () => Promise.reject(new MagError('MAG_FEED_UNAVAILABLE', { ref: REF, why: 'a test' })),
      read: () => Promise.resolve([]),
      nudge: (ref) => void nudged.push(ref),
    },
    status: () => test.status,
    scope: () => () => {},
    relay: { publish: () => {}, onMessage: () => {} },
  };
  const gate = await buildGate(ports, options);
  const { port } = await gate.listen({ host: '127.0.0.1', port: on, reusePort: false });
  const url = `http://127.0.0.1:${port}`;
  const call: TestGate['call'] = (method, path, body, headers = {}) =>
    fetch(url + path, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  const test: TestGate = {
    gate,
    url,
    port,
    engine,
    session: engine,
    asked: [],
    nudged,
    logged,
    status: { status: 'ready', stage: 'ready', components: [] },
    project: handleOf(REF, SERVICE, grants),
    answers: { ADMIN_VERIFY: ({ credential }) => credential === ADMIN },
    get: (path, headers = {}) => call('GET', path, undefined, headers),
    call,
  };
  return test;
}
