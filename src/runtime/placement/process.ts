import { MagError } from '../../errors.ts';
import type { Host } from '../host.ts';
import { sibling } from '../sibling.ts';
import { IpcTransport, parentIpc } from './transport.ts';
import type { Vessel, VesselOptions } from './vessel.ts';

/** Starts a Node child process that waits for a subtree. */
export function startProcess(host: Host, options: VesselOptions): Vessel {
  const child = host.spawnProcess({
    command: process.execPath,
    args: [sibling('worker/actor-process'), options.module],
    ipc: true,
  });
  const died = child.exited.then(({ code, signal }) => {
    const how = signal === null ? `code ${code ?? 'unknown'}` : `signal ${signal}`;
    const output = child.lastOutput();
    return new MagError('MAG_PROCESS_EXITED', {
      name: options.name,
      cause: output === '' ? how : `${how}: ${output}`,
    });
  });
  return {
    pid: child.pid,
    transport: new IpcTransport(host, parentIpc(child)),
    takesPorts: false,
    died,
    settled: () => {},
    ending: () => {}, // its exit tells the signal, and its last output
    kill: () => child.kill('SIGKILL'),
    release: () => child.kill('SIGKILL'),
  };
}
