import { describe, expect, it } from 'vitest';
import { type BannerContent, printBanner, renderBanner } from '../../src/actors/bios/banner.ts';
import { prettyLine } from '../../src/actors/bios/logger.ts';

const content: BannerContent = {
  version: '0.1.0',
  url: 'http://127.0.0.1:4600',
  dataDir: '/data',
  ticket: 'mag_ticket_abc',
  adminKey: 'mag_admin_abc',
  demo: {
    ref: 'abc',
    name: 'demo',
    engine: 'sqlite',
    url: 'http://127.0.0.1:4600/p/abc',
    status: 'ready',
    settings: { grants: [] },
    createdAt: '2026-11-23T00:00:00.000Z',
    keys: { anon: 'mag_anon_abc', service: 'mag_service_abc' },
  },
  slots: [['Storage', 'node:sqlite']],
};

describe('the banner', () => {
  it('says where the board is, how to get in, what it runs on and how to stop it', () => {
    expect(renderBanner(content)).toBe(`
  MagMoBo 0.1.0 is ready

  Board          http://127.0.0.1:4600
  Console        http://127.0.0.1:4600/?ticket=mag_ticket_abc
                 (signs in once, within 10 minutes)
  Admin key      mag_admin_abc
                 (shown this once, only its hash is stored)

  Demo project   http://127.0.0.1:4600/p/abc
    anon key     mag_anon_abc
    service key  mag_service_abc

  Storage        node:sqlite
  Data           /data

  Stop           Ctrl-C, or SIGTERM: finishes what is in flight first

`);
  });

  it('leaves out what there is not', () => {
    const text = renderBanner({ ...content, adminKey: null, demo: null });
    expect(text).not.toMatch(/Admin key|Demo|null/);
  });

  it('goes to stdout on a terminal, and to stderr where stdout carries JSON lines', () => {
    for (const [isTTY, expected] of [
      [true, 'stdout'],
      [false, 'stderr'],
    ] as const) {
      const written: string[] = [];
      const stream = (name: string) => ({ isTTY, write: () => written.push(name) > 0 });
      // Only these two members are used.
      const out = { stdout: stream('stdout'), stderr: stream('stderr') } as unknown as NodeJS.Process;
      printBanner(content, out);
      expect(written).toEqual([expected]);
    }
  });
});

describe('a log line on a terminal', () => {
  it('has time, level, message and fields', () => {
    const line = prettyLine(
      '{"level":"warn","time":"2026-11-23T08:15:42.123Z","msg":"slow","ms":7,"who":{"a":1}}',
    );
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what is taken away here
    expect(line.replace(/\u001b\[\d+m/g, '')).toBe('08:15:42 warn  slow  ms=7 who={"a":1}\n');
  });
});
