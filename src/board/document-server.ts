import { fileURLToPath } from 'node:url';
import type { DocumentServerAddress } from '../actors/storage/documents/server-process.ts';
import type { ChildSpec } from '../runtime/spec.ts';
import { entryUrl } from './entry-url.ts';
import { engineServer } from './server-starter.ts';
import type { Shelf } from './shelf.ts';

/** The embedded document server, for mongodb. */
export const documentServer = (shelf: Shelf): ChildSpec =>
  engineServer<DocumentServerAddress>('mongodb', shelf, async ({ host, log }) => {
    const { DocumentServerProcess } = await import('../actors/storage/documents/server-process.ts');
    return new DocumentServerProcess({
      dataFolder: shelf.take('folder').root,
      masterKey: shelf.take('masterKey'),
      entry: fileURLToPath(entryUrl('worker/document-server')),
      children: shelf.take('children'),
      faultInjection: shelf.config.faultInjection,
      host,
      log,
    });
  });
