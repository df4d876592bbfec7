import type { BoardState } from '../actors/bios/boot-status.ts';
import type { DataFolder } from '../actors/bios/data-folder.ts';
import type { Config } from '../actors/bios/settings.ts';
import type { AdminKey } from '../actors/psu/admin-key.ts';
import type { ConsoleSessions } from '../actors/psu/console-session.ts';
import type { ManagedChildren } from '../actors/storage/managed-children.ts';
import { MagError } from '../errors.ts';
import type { Host } from '../runtime/host.ts';
import type { Log } from '../runtime/log.ts';
import type { ActorSystem } from '../runtime/system.ts';
import type { EdgeNews } from './edge-news.ts';
import type { SlotHealth } from './status.ts';

/** What the first boot stages make and the later ones use. */
interface Made {
  readonly folder: DataFolder;
  readonly children: ManagedChildren;
  readonly port: number;
  readonly url: string;
  readonly masterKey: Uint8Array;
  readonly adminKey: AdminKey;
  readonly sessions: ConsoleSessions;
  readonly state: BoardState;
  readonly health: SlotHealth;
  readonly news: EdgeNews;
}

/** Where boot puts what it has made. Reading what no stage has put there yet is a fault in the boot order. */
export class Shelf {
  readonly config: Config;
  readonly host: Host;
  readonly log: Log;
  readonly system: ActorSystem;
  readonly #made: Partial<Made> = {};

  constructor(parts: { config: Config; host: Host; log: Log; system: ActorSystem }) {
    this.config = parts.config;
    this.host = parts.host;
    this.log = parts.log;
    this.system = parts.system;
  }

  put<Name extends keyof Made>(name: Name, value: Made[Name]): void {
    this.#made[name] = value;
  }

  take<Name extends keyof Made>(name: Name): Made[Name] {
    const value: Made[Name] | undefined = this.#made[name];
    if (value === undefined)
      throw new MagError('MAG_COMPONENT_INVALID', { component: name, problem: 'used before boot made it' });
    return value;
  }
}
