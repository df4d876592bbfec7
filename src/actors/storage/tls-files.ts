import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ServerTls } from '../../protocol/server-tls.ts';

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error);

/** Why the file is none with a certificate in it, or null. `option` names it in the sentence. */
export function certificateProblem(option: string, file: string): string | null {
  let text: Buffer;
  try {
    text = readFileSync(file);
  } catch (error) {
    return `${option} names ${file}, which cannot be read (${codeOf(error)})`;
  }
  try {
    new X509Certificate(text);
    return null;
  } catch {
    return `${option} names ${file}, which holds no certificate in PEM`;
  }
}

/** Why the key does not go with the certificate, or null; the certificate is known to be one. */
export function keyProblem(option: string, { cert, key }: NonNullable<ServerTls['client']>): string | null {
  let text: Buffer;
  try {
    text = readFileSync(key);
  } catch (error) {
    return `${option} names ${key}, which cannot be read (${codeOf(error)})`;
  }
  try {
    const fits = new X509Certificate(readFileSync(cert)).checkPrivateKey(createPrivateKey(text));
    return fits ? null : `${option} names ${key}, which is not the key of the certificate in ${cert}`;
  } catch {
    return `${option} names ${key}, which holds no private key in PEM that needs no passphrase`;
  }
}
