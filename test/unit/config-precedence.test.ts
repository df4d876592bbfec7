import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Config, type ConfigInput, readConfig } from '../../src/actors/bios/config.ts';
import { testFolder } from '../support/temporary-folder.ts';

const read = (input: Partial<ConfigInput>): ReturnType<typeof readConfig> =>
  readConfig({ args: [], env: {}, cwd: testFolder(), ...input });

function settled(input: Partial<ConfigInput>): Config {
  const result = read(input);
  if (!result.ok) throw new Error(result.problems.map((problem) => problem.message).join('; '));
  return result.config;
}

function problems(input: Partial<ConfigInput>): { code: string; message: string; hint: string | null }[] {
  const result = read(input);
  return result.ok ? [] : result.problems.map(({ code, message, hint }) => ({ code, message, hint }));
}

describe('a setting', () => {
  it('has its documented default when nobody sets it', () => {
    const cwd = testFolder();
    expect(settled({ cwd })).toMatchObject({
      host: '127.0.0.1',
      port: 4600,
      dataDir: join(cwd, '.magmobo'),
      adminKey: null,
      logLevel: 'info',
      projectConnections: 10,
      drainSeconds: 10,
      faultInjection: true,
    });
    expect(settled({}).edgeWorkers).toBeGreaterThanOrEqual(2);
  });

  it('is taken from the flag before the environment before the file', () => {
    const cwd = testFolder();
    writeFileSync(join(cwd, 'mag.config.json'), '{"port": 1, "host": "file", "drainSeconds": 3}');
    const config = settled({ cwd, env: { MAG_PORT: '2', MAG_HOST: 'environment' }, args: ['--port', '3'] });
    expect(config).toMatchObject({ port: 3, host: 'environment', drainSeconds: 3 });
  });

  it('may be written --flag=value', () => {
    expect(settled({ args: ['--log-level=debug'] }).logLevel).toBe('debug');
  });

  it('counts as not set where its variable is empty', () => {
    expect(settled({ env: { MAG_ADMIN_KEY: '', MAG_PORT: '' } })).toMatchObject({
      adminKey: null,
      port: 4600,
    });
  });

  it('of an engine that is not built yet is accepted', () => {
    expect(settled({ env: { MAG_MYSQL_URL: 'mysql://u:p@h' } }).mysqlUrl).toBe('mysql://u:p@h');
  });
});

describe('a configuration that is wrong', () => {
  it('names the nearest flag, variable or key of an unknown one', () => {
    const cwd = testFolder();
    writeFileSync(join(cwd, 'mag.config.json'), '{"prot": 1}');
    const found = problems({ cwd, args: ['--hots', 'x'], env: { MAG_PROT: '1' } });
    expect(found.map(({ code, hint }) => [code, hint])).toEqual([
      ['MAG_CONFIG_UNKNOWN', 'Did you mean --host?'],
      ['MAG_CONFIG_UNKNOWN', 'Did you mean MAG_PORT?'],
      ['MAG_CONFIG_UNKNOWN', 'Did you mean port?'],
    ]);
  });

  it.each([
    ['MAG_PORT', '65536'],
    ['MAG_PORT', '-1'],
    ['MAG_PORT', '4600.5'],
    ['MAG_EDGE_WORKERS', '0'],
    ['MAG_LOG_LEVEL', 'loud'],
    ['MAG_FAULT_INJECTION', 'maybe'],
    ['MAG_POSTGRES_URL', 'mysql://h'],
    ['MAG_DOMAIN', 'UPPER case'],
    ['MAG_ADMIN_KEY', 'two words'],
    ['MAG_DATA_DIR', 'a\0b'],
  ])('says that %s cannot be %j, and how to mend it', (name, value) => {
    const [problem, ...others] = problems({ env: { [name]: value } });
    expect(others).toEqual([]);
    expect(problem).toMatchObject({ code: 'MAG_CONFIG_INVALID' });
    expect(problem?.message).toContain(`Setting ${name} is not valid: `);
    expect(problem?.hint).toMatch(new RegExp(`^Set ${name} to .+\\.$`));
  });

  it('is reported whole, not one problem at a time', () => {
    expect(
      problems({ env: { MAG_PORT: 'x', MAG_LOG_LEVEL: 'y' }, args: ['--nope', '1', 'stray'] }),
    ).toHaveLength(4);
  });

  it('does not repeat a password', () => {
    const [problem] = problems({ env: { MAG_POSTGRES_URL: 'http://u:hunter2@h' } });
    expect(JSON.stringify(problem)).not.toContain('hunter2');
  });

  it('says that a flag lacks its value', () => {
    expect(problems({ args: ['--port'] })[0]?.message).toBe('Setting --port is not valid: it has no value');
  });

  it('leaves variables of the test suite alone', () => {
    expect(
      problems({ env: { MAG_REQUIRE_SERVICES: '1', MAG_TEST_POSTGRES_URL: 'x', MAG_URL: 'x' } }),
    ).toEqual([]);
  });
});

describe('the configuration file', () => {
  it('must exist where it was named, and not where it was not', () => {
    expect(problems({ env: { MAG_CONFIG: 'missing.json' } })[0]?.message).toContain(
      'missing.json cannot be read',
    );
    expect(problems({})).toEqual([]);
  });

  it('is found under the name that a flag gives before the one of the environment', () => {
    const cwd = testFolder();
    writeFileSync(join(cwd, 'a.json'), '{"port": 7}');
    writeFileSync(join(cwd, 'b.json'), '{"port": 8}');
    expect(settled({ cwd, env: { MAG_CONFIG: 'b.json' } }).port).toBe(8);
    expect(settled({ cwd, env: { MAG_CONFIG: 'b.json' }, args: ['--config', 'a.json'] }).port).toBe(7);
  });

  it.each(['{"port": ', '[]', 'null', '"text"', '7'])(
    'that holds %s is a problem that names the file',
    (text) => {
      const cwd = testFolder();
      writeFileSync(join(cwd, 'mag.config.json'), text);
      expect(problems({ cwd })[0]?.message).toContain('mag.config.json is not valid');
    },
  );

  it('that is a folder is a problem', () => {
    const cwd = testFolder();
    mkdirSync(join(cwd, 'mag.config.json'));
    expect(problems({ cwd })[0]?.message).toContain('mag.config.json cannot be read');
  });

  it('may not nest a setting', () => {
    const cwd = testFolder();
    writeFileSync(join(cwd, 'mag.config.json'), '{"port": {"number": 1}}');
    expect(problems({ cwd })[0]?.message).toContain('it is not text, a number or a boolean');
  });
});
