import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { join } from 'node:path';

/** A certificate and its key, as files in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** Both in one file, as MongoDB's tools want them. */
  readonly both: string;
}

/** What DER is made of: a tag, the length, and the content. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts: readonly Buffer[]): Buffer => der(0x30, ...parts);
const integer = (value: number): Buffer => der(0x02, Buffer.from([value]));
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'));
const utf8 = (text: string): Buffer => der(0x0c, Buffer.from(text));
const day = (text: string): Buffer => der(0x17, Buffer.from(`${text}000000Z`));
const name = (text: string): Buffer => sequence(der(0x31, sequence(oid('550403'), utf8(text))));
const extension = (id: string, critical: boolean, value: Buffer): Buffer =>
  sequence(oid(id), ...(critical ? [der(0x01, Buffer.from([0xff]))] : []), der(0x04, value));

const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'));

/** Each certificate of a process has a number of its own. */
let serial = 1;

interface Wanted {
  readonly subject: string;
  readonly issuer: string;
  readonly signer: KeyObject;
  readonly subjectKey: KeyObject;
  readonly extensions: readonly Buffer[];
  /** YYMMDD. */
  readonly until: string;
}

function pemOf({ subject, issuer, signer, subjectKey, extensions, until }: Wanted): string {
  serial += 1;
  const body = sequence(
    der(0xa0, integer(2)),
    integer(serial),
    ECDSA_SHA256,
    name(issuer),
    sequence(day('200101'), day(until)),
    name(subject),
    subjectKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = der(0x03, Buffer.from([0]), sign('sha256', body, signer));
  const text = sequence(body, ECDSA_SHA256, signature).toString('base64');
  return `-----BEGIN CERTIFICATE-----\n${text.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
}

const altName = (host: string): Buffer =>
  isIPv4(host) ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host));

/** A certificate authority of the test's own, made now: nothing secret lies in the repository. */
export class Authority {
  readonly #folder: string;
  readonly #name: string;
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  /** File of its own certificate. */
  readonly file: string;

  constructor(folder: string, title: string) {
    this.#folder = folder;
    this.#name = title;
    this.file = join(folder, `${title}.pem`);
    const { privateKey: signer, publicKey: subjectKey } = this.#keys;
    const extensions = [
      extension('551d13', true, sequence(der(0x01, Buffer.from([0xff])))),
      extension('551d0f', true, der(0x03, Buffer.from([1, 0x06]))),
    ];
    writeFileSync(
      this.file,
      pemOf({ subject: title, issuer: title, signer, subjectKey, extensions, until: '491231' }),
    );
  }

  /** A certificate for these hosts; its files are called as the first of them. */
  issue(hosts: readonly string[], { file = hosts[0] ?? '', until = '491231' } = {}): Certificate {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const cert = pemOf({
      ...{ subject: hosts[0] ?? '', issuer: this.#name, until },
      ...{ signer: this.#keys.privateKey, subjectKey: publicKey },
      extensions: [extension('551d11', false, sequence(...hosts.map(altName)))],
    });
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const path = (end: string): string => join(this.#folder, `${file}.${end}`);
    writeFileSync(path('crt'), cert);
    writeFileSync(path('key'), key, { mode: 0o600 });
    writeFileSync(path('both'), `${cert}${key}`, { mode: 0o600 });
    return { cert: path('crt'), key: path('key'), both: path('both') };
  }
}
