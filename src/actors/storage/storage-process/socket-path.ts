import { chmodSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** sockaddr_un holds 108 bytes on Linux and 104 on macOS, the final zero included. */
const SOCKET_PATH_BYTES = 103;

/**
 * The folder for storage sockets: `folder` where the paths in it are short enough for a socket, else a private one
 * in the system's temporary folder. Only this user may enter it: whoever connects reads any project's data.
 */
export function socketFolder(folder: string): { readonly path: string; readonly temporary: boolean } {
  const longest = join(folder, 'storage-99999999.sock');
  if (process.platform === 'win32') return { path: '\\\\.\\pipe', temporary: false };
  if (Buffer.byteLength(longest) > SOCKET_PATH_BYTES)
    return { path: mkdtempSync(join(tmpdir(), 'mag-')), temporary: true };
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  return { path: folder, temporary: false };
}
