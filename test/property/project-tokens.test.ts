import { createHmac, createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { principalOf } from '../../src/actors/psu/project-key-check.ts';
import { verifyToken } from '../../src/actors/psu/token-check.ts';
import { keySetOf, tokenKeys } from '../../src/actors/psu/token-keys.ts';
import { mintToken } from '../../src/actors/psu/token-mint.ts';
import { TOKEN_ALGORITHMS, type TokenAlgorithm } from '../../src/protocol/tokens.ts';
import { ANON, handleOf, REF, SERVICE } from '../support/gate.ts';

const NOW = 1_800_000_000_000;
const SECONDS = NOW / 1_000;
const masterKey = randomBytes(32);
const keys = tokenKeys(masterKey, REF, 1);
const signer = { masterKey, ref: REF, version: 1, url: `http://board/p/${REF}`, now: NOW };
const project = { ...handleOf(REF, SERVICE), tokenKeys: keys };

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token as a foreign hand would make it. */
function forge(header: object, claims: unknown, key: string | Buffer = keys.secret): string {
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

const HS256 = { alg: 'HS256', typ: 'JWT' };
const code = (name: string) => expect.objectContaining({ code: name, status: 401 });
const undecodable = code('PGRST301');
const unacceptable = (message: string) => expect.objectContaining({ code: 'PGRST303', message });

const anyAlgorithm: fc.Arbitrary<TokenAlgorithm> = fc.constantFrom(...TOKEN_ALGORITHMS);
const anyRole = fc.constantFrom('anon' as const, 'authenticated' as const, 'service_role' as const);
const anyClaims = fc.dictionary(
  fc
    .string({ minLength: 1, maxLength: 12 })
    .filter((name) => !/^(role|iss|iat|exp|nbf|aud|__proto__)$/.test(name)),
  fc.jsonValue({ maxDepth: 2 }),
  { maxKeys: 6 },
);

describe('a token of a project', () => {
  it('says who it was made for, under either algorithm', () => {
    fc.assert(
      fc.property(anyAlgorithm, anyRole, anyClaims, (algorithm, role, claims) => {
        const { token } = mintToken(signer, { algorithm, role, claims });
        const { principal } = verifyToken(keys, token, NOW);
        expect(principal.role).toBe(role);
        expect(principal.claims).toMatchObject(JSON.parse(JSON.stringify(claims)) as object);
        expect(principal.claims).toMatchObject({ role, iss: `${signer.url}/auth/v1`, exp: SECONDS + 3_600 });
      }),
      { numRuns: 60 },
    );
  });

  it('is refused when any one character of it is another', () => {
    const tokens = TOKEN_ALGORITHMS.map(
      (algorithm) => mintToken(signer, { algorithm, role: 'authenticated', claims: { sub: 'u' } }).token,
    );
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \0';
    for (const token of tokens) {
      for (let at = 0; at < token.length; at += 1) {
        const other = letters[(letters.indexOf(token[at] ?? '') + 1 + (at % 60)) % letters.length] ?? '';
        const tampered = token.slice(0, at) + other + token.slice(at + 1);
        expect(() => verifyToken(keys, tampered, NOW), `${at}`).toThrowError(undecodable);
      }
    }
  });

  it('is refused cut short, prolonged, or with the last bits of its signature changed', () => {
    fc.assert(
      fc.property(
        anyAlgorithm,
        fc.integer({ min: 1, max: 40 }),
        fc.base64String({ minLength: 1 }),
        (algorithm, cut, more) => {
          const { token } = mintToken(signer, { algorithm, role: 'anon' });
          for (const bad of [token.slice(0, -cut), token + more, `${token}.`, `${token}=`])
            expect(() => verifyToken(keys, bad, NOW)).toThrowError(undecodable);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('of another project, another board, or before a rotation is none', () => {
    for (const other of [
      { ...signer, ref: 'another' },
      { ...signer, masterKey: randomBytes(32) },
      { ...signer, version: 2 },
    ])
      for (const algorithm of TOKEN_ALGORITHMS)
        expect(() =>
          verifyToken(keys, mintToken(other, { algorithm, role: 'service_role' }).token, NOW),
        ).toThrowError(undecodable);
  });

  it('says of a token without a signature why it is refused', () => {
    expect(() => verifyToken(keys, `${encode({ alg: 'none' })}.${encode({})}.`, NOW)).toThrowError(
      expect.objectContaining({ details: "JWT is unsecured but expected 'alg' was not 'none'" }),
    );
  });

  it('goes with one algorithm only: none, a foreign one, and a public key used as a secret are refused', () => {
    const claims = { role: 'service_role', exp: SECONDS + 60 };
    const unsigned = `${encode({ alg: 'none' })}.${encode(claims)}.`;
    const pem = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: keys.publicKey },
      format: 'jwk',
    }).export({
      format: 'pem',
      type: 'spki',
    });
    const raw = Buffer.from(keys.publicKey, 'base64url');
    const stranger = generateKeyPairSync('ed25519').privateKey;
    const signed = `${encode({ alg: 'EdDSA', jwk: stranger.export({ format: 'jwk' }) })}.${encode(claims)}`;
    for (const token of [
      unsigned,
      `${encode({ alg: 'none' })}.${encode(claims)}.AA`,
      forge({ alg: 'none' }, claims),
      forge({ alg: 'RS256' }, claims),
      forge({ alg: 'hs256' }, claims),
      forge({ alg: ['HS256'] }, claims),
      forge({}, claims),
      forge({ alg: 'EdDSA' }, claims),
      forge({ ...HS256, crit: ['b64'], b64: false }, claims),
      forge(HS256, claims, pem),
      forge(HS256, claims, raw),
      forge(HS256, claims, keys.publicKey),
      forge(HS256, claims, ''),
      `${signed}.${sign(null, Buffer.from(signed), stranger).toString('base64url')}`,
    ])
      expect(() => verifyToken(keys, token, NOW), token).toThrowError(undecodable);
  });

  it('may be signed with HS256 by whoever has the secret, as the apps of supabase do', () => {
    const token = forge(HS256, { role: 'authenticated', sub: 'me', aud: ['x', 'authenticated'] });
    expect(verifyToken(keys, token, NOW)).toEqual({
      principal: {
        role: 'authenticated',
        claims: { role: 'authenticated', sub: 'me', aud: ['x', 'authenticated'] },
      },
      until: Number.POSITIVE_INFINITY,
    });
    expect(verifyToken(keys, forge(HS256, { sub: 'me' }), NOW).principal.role).toBe('anon');
  });

  it('holds from nbf and iat to exp, give or take thirty seconds', () => {
    fc.assert(
      fc.property(fc.integer({ min: -100, max: 100 }), (off) => {
        const at = SECONDS + off;
        const check = (claims: object) => () => verifyToken(keys, forge(HS256, claims), NOW);
        if (off < -30) expect(check({ exp: at })).toThrowError(unacceptable('JWT expired'));
        else expect(check({ exp: at })().until).toBe((at + 30) * 1_000);
        if (off > 30) {
          expect(check({ nbf: at })).toThrowError(unacceptable('JWT not yet valid'));
          expect(check({ iat: at })).toThrowError(unacceptable('JWT issued at future'));
        } else expect(check({ nbf: at, iat: at })().principal.role).toBe('anon');
      }),
    );
  });

  it('is refused with claims of the wrong form, or a role that is none of ours', () => {
    const wrong: Record<string, unknown> = {
      "The JWT 'exp' claim must be a number": { exp: 'never' },
      "The JWT 'nbf' claim must be a number": { nbf: true },
      "The JWT 'iat' claim must be a number": { iat: {} },
      "The JWT 'aud' claim must be a string or an array of strings": { aud: [1] },
      "The JWT 'role' claim must be one of anon, authenticated, service_role": { role: 'postgres' },
      'Parsing claims failed': ['role'],
    };
    for (const [message, claims] of Object.entries(wrong))
      expect(() => verifyToken(keys, forge(HS256, claims), NOW), message).toThrowError(unacceptable(message));
    expect(() => verifyToken(keys, forge(HS256, { role: ['anon'] }), NOW)).toThrowError(code('PGRST303'));
  });

  it('is any text at worst: nothing but a refusal comes of it', () => {
    const part = fc.oneof(fc.base64String(), fc.string(), fc.jsonValue().map(encode));
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), (parts) => {
        const token = `ey${parts.join('.')}`;
        expect(() => verifyToken(keys, token, NOW)).toThrowError(undecodable);
      }),
    );
    expect(() => verifyToken(keys, `eyJ${'a'.repeat(9_000)}`, NOW)).toThrowError(undecodable);
  });

  it('is verified by anybody with the published key set', () => {
    const [jwk] = (keySetOf(keys) as { keys: { x: string; kid: string; alg: string }[] }).keys;
    const { token } = mintToken(signer, { role: 'authenticated', algorithm: 'EdDSA' });
    const [header = '', payload = '', signature = ''] = token.split('.');
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({
      alg: 'EdDSA',
      typ: 'JWT',
      kid: jwk?.kid,
    });
    const key = createPublicKey({ key: jwk as object, format: 'jwk' });
    expect(verify(null, Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url'))).toBe(
      true,
    );
    expect(Object.keys(jwk ?? {})).not.toContain('d');
  });
});

describe('a token beside a project key', () => {
  const { token } = mintToken(signer, { role: 'authenticated', claims: { sub: 'u1' } });

  it('decides the role and the claims, with the anon key or alone', () => {
    for (const apikey of [ANON, SERVICE, undefined, token])
      expect(principalOf(project, apikey, token, NOW)).toMatchObject({
        role: 'authenticated',
        claims: { sub: 'u1' },
      });
    expect(principalOf(project, token, undefined, NOW).role).toBe('authenticated');
    expect(() => principalOf(project, 'wrong', token, NOW)).toThrowError(code('MAG_KEY_INVALID'));
  });

  it('is remembered as long as it holds, and not longer', () => {
    const first = principalOf(project, ANON, token, NOW);
    expect(principalOf(project, ANON, token, NOW + 3_629_000)).toBe(first);
    expect(() => principalOf(project, ANON, token, NOW + 3_631_000)).toThrowError(
      unacceptable('JWT expired'),
    );
    expect(() =>
      principalOf({ ...project, tokenKeys: tokenKeys(masterKey, REF, 2) }, ANON, token, NOW),
    ).toThrowError(undecodable);
  });

  it('is verified anew after so many others that it is forgotten', () => {
    const all = Array.from(
      { length: 600 },
      (_, at) => mintToken(signer, { role: 'anon', algorithm: 'HS256', claims: { sub: `${at}` } }).token,
    );
    for (const each of all) principalOf(project, ANON, each, NOW);
    const subjects = all.map((each) => principalOf(project, ANON, each, NOW).claims.sub);
    expect(subjects).toEqual(all.map((_, at) => `${at}`));
  });

  it('means nothing to a project without token keys', () => {
    expect(() => principalOf(handleOf(REF, SERVICE), ANON, token, NOW)).toThrowError(code('MAG_KEY_INVALID'));
  });
});

describe('the minting of a token', () => {
  it('refuses claims that the board states, and a token that no header would carry', () => {
    for (const name of ['role', 'iss', 'iat', 'exp', 'nbf'])
      expect(() => mintToken(signer, { role: 'anon', claims: { [name]: 1 } })).toThrowError(
        expect.objectContaining({ code: 'MAG_BAD_REQUEST' }),
      );
    expect(() => mintToken(signer, { role: 'anon', claims: { a: 'x'.repeat(9_000) } })).toThrowError(
      expect.objectContaining({ code: 'MAG_BAD_REQUEST' }),
    );
  });
});
