import { createHash, createHmac } from 'node:crypto';

export interface ProjectKeys {
  readonly anon: string;
  readonly service: string;
}

/** SHA-256 of a presented or derived key, hex: what the edge compares. */
export const keyDigest = (key: string): string => createHash('sha256').update(key).digest('hex');

const derive = (masterKey: Uint8Array, ref: string, role: string, version: number): string =>
  createHmac('sha256', masterKey).update(`project-key:${ref}:${role}:${version}`).digest('base64url');

/**
 * A project's API keys, derived from the master key: nothing is stored, and adding one to `version` rotates them.
 * `mag_anon_` or `mag_service_` and 43 base64url characters.
 */
export function projectKeys(masterKey: Uint8Array, ref: string, version: number): ProjectKeys {
  return {
    anon: `mag_anon_${derive(masterKey, ref, 'anon', version)}`,
    service: `mag_service_${derive(masterKey, ref, 'service', version)}`,
  };
}

export const digestKeys = (keys: ProjectKeys): ProjectKeys => ({
  anon: keyDigest(keys.anon),
  service: keyDigest(keys.service),
});
