import { MagError } from '../errors.ts';
import type { ProjectView } from '../protocol/project.ts';
import type { MintedToken } from '../protocol/tokens.ts';
import { type BoardClient, connectBoard } from './board-client.ts';
import { type Command, EXIT, type Terminal } from './command.ts';
import { CREDENTIAL_ACTIONS } from './credentials.ts';
import { BOARD_HELP, BOARD_OPTIONS, parseOptions, positionals } from './options.ts';
import { renderTable } from './table.ts';

const PROJECTS = '/admin/v1/projects';

const pathOf = (ref: string): string => `${PROJECTS}/${encodeURIComponent(ref)}`;

function showKeys({ ref, name, engine, url, keys, jwtSecret }: ProjectView): string {
  const lines = [
    ['project', `${name} (${ref}) on ${engine}`],
    ['url', url],
    ['anon key', keys?.anon ?? ''],
    ['service key', keys?.service ?? ''],
    ...(jwtSecret === undefined ? [] : [['jwt secret', jwtSecret]]),
  ];
  return lines.map(([label = '', value = '']) => `${label.padEnd(13)}${value}\n`).join('');
}

interface Call {
  readonly board: BoardClient;
  readonly given: readonly string[];
  readonly engine: string;
  readonly rotate: boolean;
  readonly token: {
    readonly role: string;
    readonly claims: readonly string[];
    readonly expires: string | undefined;
    readonly algorithm: string | undefined;
  };
  readonly credential: { readonly name: string; readonly write: boolean };
  readonly json: boolean;
  readonly terminal: Terminal;
}

const print = (call: Call, value: unknown, human: () => string): void =>
  call.terminal.out(call.json ? `${JSON.stringify(value)}\n` : human());

// The admin API's replies have the shapes of protocol/project.ts.
const ACTIONS: Readonly<Record<string, (call: Call) => Promise<void>>> = {
  create: async (call) => {
    const [name] = positionals(call.given, 'NAME');
    const body = { name, engine: call.engine };
    const made = (await call.board.request(PROJECTS, { method: 'POST', body })) as ProjectView;
    print(call, made, () => showKeys(made));
  },
  ls: async (call) => {
    positionals(call.given);
    const list = (await call.board.request(PROJECTS)) as readonly ProjectView[];
    const rows = list.map(({ ref, name, engine, status, url }) => [ref, name, engine, status, url]);
    print(call, list, () => renderTable(['ref', 'name', 'engine', 'status', 'url'], rows));
  },
  rm: async (call) => {
    const [ref] = positionals(call.given, 'REF');
    await call.board.request(pathOf(ref), { method: 'DELETE' });
    print(call, { ref, deleted: true }, () => `project ${ref} and its database are gone\n`);
  },
  keys: async (call) => {
    const [ref] = positionals(call.given, 'REF');
    const asked = call.rotate ? { method: 'POST' as const } : {};
    const path = `${pathOf(ref)}/keys${call.rotate ? '/rotate' : ''}`;
    const project = (await call.board.request(path, asked)) as ProjectView;
    print(call, project, () => showKeys(project));
  },
  token: async (call) => {
    const [ref] = positionals(call.given, 'REF');
    const { role, claims, expires, algorithm } = call.token;
    const body = {
      role,
      claims: Object.fromEntries(claims.map(readClaim)),
      ...(expires === undefined ? {} : { expiresIn: Number(expires) }),
      ...(algorithm === undefined ? {} : { algorithm }),
    };
    const path = `${pathOf(ref)}/tokens`;
    const minted = (await call.board.request(path, { method: 'POST', body })) as MintedToken;
    print(call, minted, () => `${minted.token}\n`);
  },
  ...Object.fromEntries(
    Object.entries(CREDENTIAL_ACTIONS).map(([name, act]) => [
      name,
      ({ board, given, credential, ...call }: Call) =>
        act({
          board,
          given,
          ...credential,
          print: (value, human) => print({ board, given, credential, ...call }, value, human),
        }),
    ]),
  ),
};

/** `name=value`: the value is JSON where it reads as JSON, else it is a text. */
function readClaim(text: string): [string, unknown] {
  const mark = text.indexOf('=');
  if (mark <= 0) throw new MagError('MAG_USAGE', { problem: `--claim ${text} is no name=value` });
  const [name, value] = [text.slice(0, mark), text.slice(mark + 1)];
  // A subject is a text, also one of digits.
  if (name === 'sub') return [name, value];
  try {
    return [name, JSON.parse(value)];
  } catch {
    return [name, value];
  }
}

export const command: Command = {
  help: `mag project create NAME [--engine E] | ls | rm REF | keys REF | token REF | connect REF | credentials REF |
  reissue REF ID | disconnect REF ID

  create NAME      makes a project with a database of its own, and shows its keys
      --engine E   the engine it runs on, as GET /admin/v1/engines lists them; default sqlite
  ls               lists the projects
  rm REF           deletes a project and its database, at once and for good
  keys REF         shows a project's keys
      --rotate     makes new ones first; the old ones are refused from then on
  token REF        signs a token (JWT), to try an app as one of its users; a rotation of the keys ends it
      --role R     anon, authenticated (default) or service_role
      --claim N=V  a claim, sub=… say; may be given several times; V is JSON, or else a text
      --expires S  seconds until it ends; default 3600
      --algorithm  EdDSA (default) or HS256
  connect REF      makes a user of the project's own database for psql, a BI tool or a driver, and shows its URL, once
      --name N     what it is for; default "mag project connect"
      --write      it may do what the project's own role may; without it, only read
  credentials REF  lists them
  reissue REF ID   gives one another password, and cuts off who came with the old one
  disconnect REF ID  takes one back
${BOARD_HELP}`,
  run: async (args, terminal) => {
    const options = {
      ...BOARD_OPTIONS,
      engine: { type: 'string', default: 'sqlite' },
      rotate: { type: 'boolean', default: false },
      role: { type: 'string', default: 'authenticated' },
      claim: { type: 'string', multiple: true, default: [] as string[] },
      expires: { type: 'string' },
      algorithm: { type: 'string' },
      name: { type: 'string', default: 'mag project connect' },
      write: { type: 'boolean', default: false },
    } as const;
    const {
      values,
      positionals: [name, ...given],
    } = parseOptions(args, options);
    const action = name === undefined ? undefined : ACTIONS[name];
    if (action === undefined) {
      const problem = `mag project knows ${Object.keys(ACTIONS).join(', ')}${name === undefined ? '' : `, not ${name}`}`;
      throw new MagError('MAG_USAGE', { problem });
    }
    const board = connectBoard(values, terminal);
    const { engine, rotate, json, role, claim: claims, expires, algorithm } = values;
    const token = { role, claims, expires, algorithm };
    const credential = { name: values.name, write: values.write };
    await action({ board, given, engine, rotate, token, credential, json, terminal });
    return EXIT.ok;
  },
};
