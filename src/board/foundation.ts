import { join } from 'node:path';
import { boardUrl } from '../actors/bios/board-file.ts';
import type { BootComponent } from '../actors/bios/boot-plan.ts';
import { openDataFolder, probeDisk } from '../actors/bios/data-folder.ts';
import { type DataLock, lockDataFolder } from '../actors/bios/data-lock.ts';
import { checkClock, checkRuntime, choosePort } from '../actors/bios/self-test.ts';
import { openAdminKey } from '../actors/psu/admin-key.ts';
import { createConsoleSessions } from '../actors/psu/console-session.ts';
import { loadMasterKey } from '../actors/psu/master-key.ts';
import { ManagedChildren } from '../actors/storage/managed-children.ts';
import { MagError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Shelf } from './shelf.ts';

/**
 * What must be true before the first actor: the data folder is ours alone, the machine is fit, nothing of a killed
 * board is still running, the secrets are there.
 */
export function foundation(shelf: Shelf): readonly BootComponent[] {
  return [dataFolder(shelf), machine(shelf), survivors(shelf), configuration(shelf), secrets(shelf)];
}

const required = { optional: false, deadlineMs: LIMITS.bootStageMs };

function dataFolder(shelf: Shelf): BootComponent {
  let lock: DataLock | null = null;
  return {
    ...required,
    name: 'data_folder',
    stage: 'self_test',
    requires: [],
    start: async () => {
      const folder = openDataFolder(shelf.config.dataDir);
      await probeDisk(folder, LIMITS.diskFreeBytes);
      lock = lockDataFolder(folder, new Date(shelf.host.wallTime()).toISOString());
      shelf.put('folder', folder);
    },
    stop: async () => lock?.release(),
  };
}

const machine = (shelf: Shelf): BootComponent => ({
  ...required,
  name: 'machine',
  stage: 'self_test',
  requires: ['data_folder'],
  start: async () => {
    checkRuntime();
    checkClock(shelf.host);
    const { host, port } = shelf.config;
    const chosen = await choosePort(host, port);
    shelf.put('port', chosen);
    shelf.put('url', boardUrl(host, chosen));
  },
});

/** Child processes that a killed board left running hold ports and data: they are stopped before anything starts. */
const survivors = (shelf: Shelf): BootComponent => ({
  ...required,
  name: 'survivors',
  stage: 'self_test',
  requires: ['data_folder'],
  start: async () => {
    const children = new ManagedChildren(join(shelf.take('folder').run, 'children.json'));
    await children.reclaim(shelf.host, shelf.log);
    // A board that was not drained in time leaves no server behind all the same.
    process.once('exit', () => children.cutOff());
    shelf.put('children', children);
  },
});

/** The settings were parsed before boot began; what only the whole of them shows is checked here. */
const configuration = (shelf: Shelf): BootComponent => ({
  ...required,
  name: 'configuration',
  stage: 'configuration',
  requires: [],
  start: async () => {
    const { edgeWorkers, host, domain, faultInjection } = shelf.config;
    if (edgeWorkers < 1)
      throw new MagError('MAG_CONFIG_INVALID', {
        setting: 'MAG_EDGE_WORKERS',
        problem: 'at least 1 is needed',
      });
    if (shelf.config.natsUrl !== null)
      shelf.log.warn({}, 'MAG_NATS_URL is not used: this version runs on one node');
    shelf.log.info({ edgeWorkers, host, domain, faultInjection }, 'configuration');
  },
});

const secrets = (shelf: Shelf): BootComponent => ({
  ...required,
  name: 'secrets',
  stage: 'security',
  requires: [],
  start: async () => {
    const { host, log, config } = shelf;
    const secretsFolder = shelf.take('folder').secrets;
    const masterKey = loadMasterKey(secretsFolder, host, log);
    const adminKey = openAdminKey({ secretsFolder, host, log, override: config.adminKey });
    shelf.put('masterKey', masterKey);
    shelf.put('adminKey', adminKey);
    shelf.put('sessions', createConsoleSessions(masterKey, adminKey.fingerprint, host));
  },
});
