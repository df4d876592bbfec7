import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { NewProject } from '../../test/support/board.ts';
import type { TenantsLoad, TenantsResult } from '../load/tenants-load.ts';

const execute = promisify(execFile);

export interface Tenant {
  readonly project: NewProject;
  readonly engine: string;
}

/** Runs a load in a process of its own. */
export async function drive(load: TenantsLoad): Promise<TenantsResult> {
  const file = join(import.meta.dirname, '../load/tenants-load.ts');
  const run = execute(process.execPath, [file, JSON.stringify(load)], { maxBuffer: 2 ** 24 });
  const { stdout } = await run.catch((error: { readonly stderr?: string }) => {
    // Its own message repeats the whole command line, keys and all.
    throw new Error(`the load failed: ${error.stderr ?? ''}`);
  });
  return JSON.parse(stdout) as TenantsResult; // printed by the load process
}
