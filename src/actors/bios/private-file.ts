import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

const PART = '.part';

function writeDurably(path: string, content: string | Uint8Array): void {
  const file = openSync(path, 'wx', 0o600);
  try {
    if (typeof content === 'string') writeSync(file, content);
    else writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function syncFolder(folder: string): void {
  // Windows cannot open a folder; there the rename itself is all that can be had.
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** What a kill between write and rename left behind. */
function removeParts(path: string): void {
  const folder = dirname(path);
  for (const name of readdirSync(folder)) {
    if (name.startsWith(`${basename(path)}.`) && name.endsWith(PART)) rmSync(join(folder, name));
  }
}

/** Puts the whole content under `path`, readable by its owner only, or leaves what was there: also when killed. */
export function replacePrivateFile(path: string, content: string | Uint8Array): void {
  removeParts(path);
  const part = `${path}.${process.pid}${PART}`;
  writeDurably(part, content);
  renameSync(part, path);
  syncFolder(dirname(path));
}

/** As replacePrivateFile, but fails with EEXIST where the file exists: a secret is never overwritten. */
export function createPrivateFile(path: string, content: string | Uint8Array): void {
  removeParts(path);
  const part = `${path}.${process.pid}${PART}`;
  writeDurably(part, content);
  try {
    linkSync(part, path);
  } finally {
    rmSync(part);
  }
  syncFolder(dirname(path));
}
