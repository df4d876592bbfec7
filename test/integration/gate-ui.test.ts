import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startGate, type TestGate } from '../support/gate.ts';

let folder: string;
let board: TestGate;
let bare: TestGate;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mag-ui-'));
  await mkdir(join(folder, 'dist', 'assets'), { recursive: true });
  await writeFile(join(folder, 'secret.txt'), 'secret');
  await writeFile(join(folder, 'dist', 'index.html'), '<!doctype html><title>console</title>');
  await writeFile(join(folder, 'dist', 'assets', 'index-Ab12_Cd4.js'), 'console.log(1)');
  board = await startGate([], { uiDirectory: join(folder, 'dist') });
  bare = await startGate([], { uiDirectory: join(folder, 'missing') });
});

afterAll(async () => {
  await Promise.all([board.gate.close(), bare.gate.close()]);
  await rm(folder, { recursive: true });
});

/** A path as it is, which fetch would tidy up first. */
function rawGet(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(board.port, '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    socket.on('end', () => resolve(text)).on('error', reject);
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
  });
}

describe('the console', () => {
  it('is served at / with a strict policy and always asked about', async () => {
    const reply = await board.get('/');
    expect(reply.status).toBe(200);
    expect(reply.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(reply.headers.get('cache-control')).toBe('no-cache');
    expect(reply.headers.get('content-security-policy')).toContain("script-src 'self'");
    expect(reply.headers.get('content-security-policy')).not.toMatch(/script-src[^;]*unsafe-inline/);
    expect(await reply.text()).toContain('console');
    const again = await board.get('/', { 'if-none-match': reply.headers.get('etag') ?? '' });
    expect(again.status).toBe(304);
  });

  it('keeps assets named by their content for ever', async () => {
    const reply = await board.get('/assets/index-Ab12_Cd4.js?v=1');
    expect(reply.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(reply.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  });

  it('has a plain page where nothing was built', async () => {
    expect(await (await bare.get('/')).text()).toContain('has not been built');
  });

  it('never leaves its folder', async () => {
    for (const path of [
      '/../secret.txt',
      '/assets/../../secret.txt',
      '/%2e%2e/secret.txt',
      '/..%2fsecret.txt',
    ]) {
      const text = await rawGet(path);
      expect(text).toMatch(/^HTTP\/1\.1 40[04] /);
      expect(text).not.toContain('secret\r');
    }
  });
});
