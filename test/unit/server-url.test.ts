import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/actors/bios/config.ts';
import { firstHost, parseMongodbUrl, toolUrl } from '../../src/actors/storage/mongodb/url.ts';
import { parseServerUrl, toolOptions } from '../../src/actors/storage/server-url.ts';
import { unreachable } from '../../src/actors/storage/tls-failure.ts';
import { Authority, type Certificate } from '../support/certificates.ts';
import { testFolder } from '../support/temporary-folder.ts';

/** What `mag start` says of the setting, without its frame; null where it is well. */
function problem(name: string, value: string): string | null {
  const result = readConfig({ args: [], env: { [name]: value }, cwd: testFolder() });
  if (result.ok) return null;
  expect(result.problems).toHaveLength(1);
  return result.problems[0]?.message.replace(`Setting ${name} is not valid: `, '') ?? null;
}

describe('a URL without a word on TLS', () => {
  it.each(['127.0.0.1', '127.9.9.9', 'localhost', 'db.localhost', '[::1]'])(
    'is in the clear at %s',
    (host) => {
      expect(parseServerUrl('postgres', `postgres://u@${host}/db`).tls).toBeUndefined();
      expect(parseServerUrl('mysql', `mysql://u@${host}`).tls).toBeUndefined();
      expect(parseServerUrl('redis', `redis://${host}`).tls).toBeUndefined();
      expect(parseMongodbUrl(`mongodb://${host}`).url).not.toContain('tls');
    },
  );

  it.each(['10.0.0.7', 'db', 'db.example.org', '[2001:db8::1]', 'localhost.example.org'])(
    'is encrypted and verified at %s, which is another machine',
    (host) => {
      const verified = { mode: 'verify-full', ca: null, client: null };
      expect(parseServerUrl('postgres', `postgres://u@${host}/db`).tls).toEqual(verified);
      expect(parseServerUrl('mysql', `mysql://u@${host}`).tls).toEqual(verified);
      expect(parseMongodbUrl(`mongodb://${host}`).url).toContain('?tls=true');
      expect(problem('MAG_REDIS_URL', `redis://${host}`)).toContain('in the clear: write rediss://');
      expect(parseServerUrl('redis', `rediss://${host}`).tls).toEqual(verified);
    },
  );

  it('is encrypted where one of a replica set’s hosts is another machine', () => {
    const url = 'mongodb://a:b@localhost:1,db2:2/?replicaSet=rs';
    expect(problem('MAG_MONGODB_URL', url)).toBeNull();
    expect(parseMongodbUrl(url)).toEqual({
      url: 'mongodb://localhost:1,db2:2/?replicaSet=rs&tls=true',
      admin: { user: 'a', password: 'b' },
      authSource: 'admin',
    });
  });
});

describe('a URL that says it', () => {
  it('is in the clear where that is said', () => {
    expect(parseServerUrl('postgres', 'postgres://db?sslmode=disable').tls).toBeUndefined();
    expect(parseServerUrl('mysql', 'mysql://db?ssl-mode=DISABLED').tls).toBeUndefined();
    expect(parseServerUrl('redis', 'redis://db?tls=false').tls).toBeUndefined();
    expect(parseMongodbUrl('mongodb://db/?tls=false').url).toBe('mongodb://db/?tls=false');
  });

  it('names the modes and files as its engine’s own clients do', () => {
    const client = { cert: '/c', key: '/k' };
    expect(
      parseServerUrl(
        'postgres',
        'postgres://127.0.0.1?sslmode=verify-ca&sslrootcert=/ca&sslcert=/c&sslkey=/k',
      ).tls,
    ).toEqual({ mode: 'verify-ca', ca: '/ca', client });
    expect(parseServerUrl('mysql', 'mysql://h?ssl-mode=verify_ca&ssl-ca=/ca').tls).toEqual({
      ...{ mode: 'verify-ca', ca: '/ca', client: null },
    });
    expect(parseServerUrl('redis', 'rediss://h?cacert=/ca&cert=/c&key=/k').tls).toEqual({
      ...{ mode: 'verify-full', ca: '/ca', client },
    });
    expect(parseServerUrl('postgres', 'postgres://h?sslmode=prefer').tls?.mode).toBe('prefer');
    expect(parseServerUrl('postgres', 'postgres://h?sslmode=allow').tls?.mode).toBe('prefer');
  });

  it('is verified where a CA is named and no mode, or one that would not look at it', () => {
    expect(parseServerUrl('postgres', 'postgres://127.0.0.1?sslrootcert=/ca').tls?.mode).toBe('verify-full');
    expect(parseServerUrl('postgres', 'postgres://h?sslmode=require&sslrootcert=system').tls).toEqual({
      ...{ mode: 'verify-ca', ca: 'system', client: null },
    });
  });

  it('is told to tools without what the board shows itself by', () => {
    const { tls } = parseServerUrl('postgres', 'postgres://h?sslrootcert=/ca&sslcert=/c&sslkey=/k');
    expect(toolOptions('postgres', tls)).toBe('?sslmode=verify-full&sslrootcert=%2Fca');
    expect(toolOptions('postgres', undefined)).toBe('');
    const place = parseMongodbUrl(
      'mongodb://a:b@h:7,i/?tlsCertificateKeyFile=/k&tlsCertificateKeyFilePassword=pw',
    );
    expect(toolUrl(place.url, 'd', 'u', 'p')).toBe('mongodb://u:p@h:7,i/d?tls=true&authSource=d');
    expect(firstHost(place.url)).toEqual({ host: 'h', port: 7 });
  });
});

describe('a URL that cannot be followed', () => {
  it.each([
    ['MAG_POSTGRES_URL', 'postgres://h?sslmod=require', 'unknown option "sslmod"; did you mean sslmode?'],
    ['MAG_POSTGRES_URL', 'postgres://h?sslmode=verify_full', 'did you mean verify-full?'],
    ['MAG_POSTGRES_URL', 'postgres://h?sslmode=disable&sslmode=require', 'the option sslmode twice'],
    ['MAG_POSTGRES_URL', 'postgres://h?sslmode=disable&sslrootcert=/x', 'leaves sslrootcert without a use'],
    ['MAG_POSTGRES_URL', 'postgres://h?sslmode=prefer&sslrootcert=/x', 'which checks nothing'],
    ['MAG_POSTGRES_URL', 'postgres://h?sslcert=/x', 'sslcert and sslkey go together'],
    ['MAG_MYSQL_URL', 'mysql://h?sslmode=REQUIRED', 'did you mean ssl-mode?'],
    ['MAG_MYSQL_URL', 'mysql://h?ssl-mode=VERIFY_FULL', 'did you mean verify_'],
    ['MAG_REDIS_URL', 'rediss://h?tls=false', 'rediss:// is TLS'],
    ['MAG_REDIS_URL', 'redis://127.0.0.1?cacert=/x', 'needs a URL that begins with rediss://'],
    ['MAG_REDIS_URL', 'rediss://h/3', 'it must name database 0'],
    ['MAG_MONGODB_URL', 'mongodb://h/?tlsCaFiel=/x', 'did you mean tlsCAFile?'],
    ['MAG_MONGODB_URL', 'mongodb://h/?tls=yes', 'tls is neither true nor false'],
    ['MAG_MONGODB_URL', 'mongodb://h/?tls=false&tlsCAFile=/x', 'leaves tlsCAFile without a use'],
  ])('%s=%s', (name, url, sentence) => {
    expect(problem(name, url)).toContain(sentence);
  });

  describe('for its files', () => {
    const files = (): { folder: string; ca: string; own: Certificate } => {
      const folder = testFolder();
      const authority = new Authority(folder, 'ca');
      writeFileSync(join(folder, 'empty'), '');
      return { folder, ca: authority.file, own: authority.issue(['board']) };
    };
    const url = (options: string): string => `postgres://h?${options}`;

    it('is one whose CA is not there or holds none', () => {
      const { folder, ca } = files();
      expect(problem('MAG_POSTGRES_URL', url(`sslrootcert=${ca}`))).toBeNull();
      expect(problem('MAG_POSTGRES_URL', url(`sslrootcert=${folder}/none`))).toContain(
        'cannot be read (ENOENT)',
      );
      expect(problem('MAG_MYSQL_URL', `mysql://h?ssl-ca=${folder}/empty`)).toContain(
        'holds no certificate in PEM',
      );
      expect(problem('MAG_MONGODB_URL', `mongodb://h/?tlsCAFile=${folder}/none`)).toContain('cannot be read');
    });

    it('is one whose key is not the certificate’s', () => {
      const { folder, own } = files();
      const other = new Authority(folder, 'other').issue(['other']);
      const pair = (cert: string, key: string): string => url(`sslcert=${cert}&sslkey=${key}`);
      expect(problem('MAG_POSTGRES_URL', pair(own.cert, own.key))).toBeNull();
      expect(problem('MAG_POSTGRES_URL', pair(own.cert, other.key))).toContain(
        'is not the key of the certificate',
      );
      expect(problem('MAG_POSTGRES_URL', pair(own.cert, own.cert))).toContain('holds no private key in PEM');
    });
  });
});

describe('a server that cannot be reached', () => {
  const reach = { encrypted: true, ca: false };
  it.each([
    ['CERT_HAS_EXPIRED', 'not valid today'],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'any CA that this machine trusts'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'does not answer in TLS'],
  ])('for %s is told in words', (code, words) => {
    const error = Object.assign(new Error('a driver’s words'), { code });
    expect(unreachable('mysql', new Error('lost', { cause: error }), reach)).toMatchObject({
      code: 'MAG_ENGINE_UNAVAILABLE',
      message: expect.stringContaining(words),
      hint: expect.any(String),
    });
  });

  it('for another reason is told as the driver has it', () => {
    const error = unreachable('mysql', new Error('connect ECONNREFUSED'), reach);
    expect(error).toMatchObject({ message: expect.stringContaining('ECONNREFUSED'), hint: null });
  });
});
