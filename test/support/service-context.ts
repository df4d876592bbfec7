import type { ExecuteContext } from '../../src/actors/storage/engine.ts';
import type { Host } from '../../src/runtime/host.ts';

/** What a request with a project's service key brings to its engine. */
export const serviceContext =
  (host: Host) =>
  (ref: string, budgetMs = 10_000, signal?: AbortSignal): ExecuteContext => ({
    principal: { role: 'service_role', claims: {} },
    tenant: ref,
    deadline: host.now() + budgetMs,
    ...(signal === undefined ? {} : { signal }),
  });
