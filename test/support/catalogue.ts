import { join } from 'node:path';
import type { AuditEvent } from '../../src/actors/audit/entry.ts';
import {
  type Catalogue,
  type CatalogueOptions,
  createCatalogue,
} from '../../src/actors/catalogue/catalogue.ts';
import type { EngineProvider } from '../../src/actors/storage/engine.ts';
import { SqliteProvider } from '../../src/actors/storage/sqlite/sqlite-provider.ts';
import { MagError } from '../../src/errors.ts';
import type { EngineKind } from '../../src/protocol/project.ts';
import type { Host } from '../../src/runtime/host.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';

export interface TestCatalogue {
  readonly catalogue: Catalogue;
  readonly events: AuditEvent[];
  readonly provider: EngineProvider;
}

/** A host on which nobody waits for a timer. */
export function hasty(): Host {
  const host = nodeHost();
  return Object.assign(Object.create(host), {
    setTimer: (_ms: number, fire: () => void) => host.setTimer(0, fire),
  });
}

/** A catalogue over the real SQLite provider in `folder`; audit entries are kept in memory. */
export function testCatalogue(
  folder: string,
  options: Partial<CatalogueOptions> & { readonly wrap?: (provider: EngineProvider) => EngineProvider } = {},
): TestCatalogue {
  const events: AuditEvent[] = [];
  const plain = new SqliteProvider(folder);
  const provider = options.wrap?.(plain) ?? plain;
  const catalogue = createCatalogue({
    file: join(folder, 'board.sqlite'),
    host: nodeHost(),
    log: silentLog,
    audit: { append: async (event) => void events.push(event) },
    masterKey: Buffer.alloc(32),
    providers: new Map<EngineKind, EngineProvider>([['sqlite', provider]]),
    baseUrl: () => 'http://127.0.0.1:4600',
    validateUsing: (text) => {
      if (!text.includes('.')) throw new MagError('MAG_BAD_REQUEST', { problem: `${text} is no filter` });
    },
    ...options,
  });
  return { catalogue, events, provider };
}
