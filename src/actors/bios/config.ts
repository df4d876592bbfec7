import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { describeError, MagError } from '../../errors.ts';
import { nearest } from './nearest.ts';
import {
  CONFIG_FILE,
  type Config,
  FOREIGN_VARIABLES,
  type Parsed,
  SETTING_KEYS,
  SETTINGS,
  type Setting,
  type SettingKey,
} from './settings.ts';

export type { Config } from './settings.ts';

/** Texts of one source by setting, and under which name that source knows the setting. */
interface Source {
  readonly texts: ReadonlyMap<SettingKey, string>;
  readonly nameOf: (key: SettingKey) => string;
}

export interface ConfigInput {
  /** Arguments after `mag start`. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

export type ConfigResult =
  | { readonly ok: true; readonly config: Config; readonly file: string | null }
  | { readonly ok: false; readonly problems: readonly MagError[] };

const unknown = (written: string, words: readonly string[], where = ''): MagError =>
  new MagError('MAG_CONFIG_UNKNOWN', { setting: `${written}${where}`, nearest: nearest(written, words) });

const invalid = (setting: string, problem: string, hint: string): MagError =>
  new MagError('MAG_CONFIG_INVALID', { setting, problem }, { hint });

/** Reads `--port 4600` and `--port=4600`; anything that is no known flag is a problem. */
function readFlags(args: readonly string[], problems: MagError[]): Source & { file: string | null } {
  const byFlag = new Map(SETTING_KEYS.map((key) => [SETTINGS[key].flag, key]));
  const names = [...byFlag.keys(), CONFIG_FILE.flag];
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
  const { tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const texts = new Map<SettingKey, string>();
  let file: string | null = null;
  let stray = '';
  for (const token of tokens) {
    if (token.kind === 'positional') {
      // The value of an option that is unknown: naming the option is enough.
      if (args[token.index - 1] === stray) continue;
      problems.push(invalid(token.value, 'it is no option', 'Options start with --, as in --port 4600.'));
    } else if (token.kind === 'option') {
      const key = byFlag.get(token.name);
      if (!names.includes(token.name)) {
        stray = token.rawName;
        const flags = names.map((name) => `--${name}`);
        problems.push(unknown(token.rawName, flags));
      } else if (token.value === undefined) {
        problems.push(invalid(token.rawName, 'it has no value', `Write ${token.rawName} VALUE.`));
      } else if (key === undefined) file = token.value;
      else texts.set(key, token.value);
    }
  }
  return { texts, nameOf: (key) => `--${SETTINGS[key].flag}`, file };
}

/** Reads MAG_* variables; an empty one counts as not set, an unknown one is a problem. */
function readEnvironment(env: ConfigInput['env'], problems: MagError[]): Source & { file: string | null } {
  const byName = new Map<string, SettingKey>(SETTING_KEYS.map((key) => [SETTINGS[key].env, key]));
  const texts = new Map<SettingKey, string>();
  let file: string | null = null;
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('MAG_') || FOREIGN_VARIABLES.some((pattern) => pattern.test(name))) continue;
    const key = byName.get(name);
    if (value === undefined || value === '') continue;
    if (key !== undefined) texts.set(key, value);
    else if (name === CONFIG_FILE.env) file = value;
    else problems.push(unknown(name, [...byName.keys(), CONFIG_FILE.env]));
  }
  return { texts, nameOf: (key) => SETTINGS[key].env, file };
}

/** Reads the configuration file: a flat JSON object. A file that was named must exist. */
function readConfigFile(path: string, named: boolean, problems: MagError[]): Source & { found: boolean } {
  const texts = new Map<SettingKey, string>();
  const nameOf = (key: SettingKey): string => `${key} in ${path}`;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const absent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (named || !absent) {
      problems.push(
        invalid(
          CONFIG_FILE.env,
          `${path} cannot be read (${describeError(error)})`,
          'Name a file that exists.',
        ),
      );
    }
    return { texts, nameOf, found: false };
  }
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch (error) {
    values = error;
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values) || values instanceof Error) {
    const why = values instanceof Error ? values.message : 'it holds no object';
    problems.push(
      invalid(CONFIG_FILE.env, `${path} is not valid: ${why}`, 'Write a JSON object such as {"port": 4600}.'),
    );
    return { texts, nameOf, found: true };
  }
  for (const [name, value] of Object.entries(values)) {
    const key = SETTING_KEYS.find((known) => known === name);
    if (key === undefined) problems.push(unknown(name, SETTING_KEYS, ` in ${path}`));
    else if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      texts.set(key, String(value));
    } else problems.push(invalid(nameOf(key), 'it is not text, a number or a boolean', mend(key)));
  }
  return { texts, nameOf, found: true };
}

const mend = (key: SettingKey): string => `Set ${SETTINGS[key].env} to ${SETTINGS[key].takes}.`;

/** The value of one setting from the strongest source that has it. */
function settle(key: SettingKey, sources: readonly Source[], problems: MagError[]): unknown {
  const source = sources.find((candidate) => candidate.texts.has(key));
  const definition: Setting<unknown> = SETTINGS[key];
  if (source === undefined) return definition.fallback();
  const parsed: Parsed<unknown> = definition.parse(source.texts.get(key) ?? '');
  if (parsed.ok) return parsed.value;
  problems.push(invalid(source.nameOf(key), parsed.problem, mend(key)));
  return undefined;
}

/**
 * Settles every setting: flags beat the environment, that beats the file, that beats the default.
 * All problems are reported at once, each naming its setting, what is wrong and how to mend it.
 */
export function readConfig(input: ConfigInput): ConfigResult {
  const problems: MagError[] = [];
  const flags = readFlags(input.args, problems);
  const environment = readEnvironment(input.env, problems);
  const named = flags.file ?? environment.file;
  const path = resolve(input.cwd, named ?? CONFIG_FILE.fallback);
  const file = readConfigFile(path, named !== null, problems);
  const sources = [flags, environment, file];
  const values = Object.fromEntries(SETTING_KEYS.map((key) => [key, settle(key, sources, problems)]));
  if (problems.length > 0) return { ok: false, problems };
  // Every key went through its own parser or default, whose types make up Config.
  const config = values as Config;
  const dataDir = resolve(input.cwd, config.dataDir);
  return { ok: true, config: { ...config, dataDir }, file: file.found ? path : null };
}
