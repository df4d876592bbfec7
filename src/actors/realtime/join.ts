import { errorBody, isPublicError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { PhoenixMessage } from '../../protocol/phoenix-frame.ts';
import type { Principal } from '../../protocol/principal.ts';
import type { JsonValue } from '../../protocol/query.ts';
import { type Binding, type JoinConfig, parseJoin } from '../../protocol/realtime-config.ts';
import { rulesFor } from '../psu/grant-rules.ts';
import type { SchemaSnapshot, TableInfo } from '../storage/engine.ts';
import { Channel } from './channel.ts';
import type { Connection } from './connection.ts';
import type { GatewayContext } from './context.ts';
import { TOPIC_PREFIX } from './topic.ts';

/** What a client is told of an error: `reason` is what channels show; nothing internal gets out. */
export function refusal(error: unknown): { readonly [key: string]: JsonValue } {
  if (!isPublicError(error)) {
    const internal = new MagError('MAG_INTERNAL');
    return { reason: internal.message, code: internal.code };
  }
  const { code, message, hint } = errorBody(error);
  if (code === 'MAG_RESUME_EXPIRED') return { reason: 'resume_expired', code, message, hint };
  return hint === null ? { reason: message, code } : { reason: message, code, hint };
}

function requireColumns(binding: Binding, table: TableInfo): void {
  const known = new Set(table.columns.map((column) => column.name));
  for (const column of [...binding.filterColumns, ...(binding.select ?? [])]) {
    if (!known.has(column)) throw new MagError('PGRST204', { column, table: binding.table });
  }
}

/** Throws PGRST205 or PGRST204 where a binding names a table or column that the database does not have. */
function requireTable(binding: Binding, schema: SchemaSnapshot): void {
  if (binding.table === '*') return;
  for (const table of schema.tables.values()) {
    const named = table.name === binding.table && (binding.schema === '*' || table.schema === binding.schema);
    if (!named) continue;
    requireColumns(binding, table);
    return;
  }
  throw new MagError('PGRST205', { table: `${binding.schema}.${binding.table}` });
}

async function requireTables(context: GatewayContext, channel: Channel): Promise<void> {
  const { ports } = context;
  const { handle } = channel.connection.project;
  const engine = await ports.sessions.open(handle);
  const deadline = ports.host.now() + LIMITS.statementTimeoutMs;
  const schema = await engine.schema({ principal: channel.principal, tenant: handle.ref, deadline });
  channel.connection.project.policed.learn(schema);
  for (const binding of channel.config.bindings) requireTable(binding, schema);
}

/** What the client reads once its subscription stands; a role that will hear nothing is told why. */
function greeting(channel: Channel): string {
  const { role } = channel.principal;
  const { policed, handle } = channel.connection.project;
  const { grants } = handle.settings;
  const guarded = channel.config.bindings.find(({ table }) => policed.names.has(table));
  if (guarded !== undefined && role !== 'service_role')
    return `Subscribed, but no rows will come from ${guarded.table}: it is under row level security, which changes are not held against`;
  const mayRead = (table: string): boolean => {
    if (role === 'service_role') return true;
    if (table !== '*') return rulesFor(grants, role, table, 'select').length > 0;
    return grants.some((grant) => grant.role === role && grant.actions.includes('select'));
  };
  const hidden = channel.config.bindings.map(({ table }) => table).filter((table) => !mayRead(table));
  if (hidden.length === 0) return 'Subscribed to PostgreSQL';
  const names = [...new Set(hidden.map((table) => (table === '*' ? 'any table' : table)))].join(', ');
  return `Subscribed, but no rows will come from ${names} until the role ${role} is granted select`;
}

function accept(context: GatewayContext, channel: Channel, ref: string | null, response: JsonValue): void {
  const { project } = channel.connection;
  project.enter(channel);
  channel.reply(ref, 'ok', response);
  context.presence.welcome(project, channel);
}

/** The way in for a channel that wants changes: tables known, feed live, resume possible; then all in one turn. */
async function follow(context: GatewayContext, channel: Channel, ref: string | null): Promise<void> {
  const { changes } = channel.connection.project;
  await requireTables(context, channel);
  let subscribed = false;
  try {
    await changes.retain();
    const { extension, bindings } = channel.config;
    if (extension?.resume) await changes.checkResume(extension.resume);
    // Asked again: the feed went on during the check, and a new channel begins where it stands now.
    const position = changes.position();
    if (channel.state === 'closed') return;
    const response: { [key: string]: JsonValue } = {
      postgres_changes: bindings.map((binding) => ({ ...binding.echo, id: binding.id })),
    };
    if (extension !== null) response.magmobo = { epoch: position.epoch, offset: position.offset };
    accept(context, channel, ref, response);
    channel.system('postgres_changes', 'ok', greeting(channel));
    changes.subscribe(channel, position);
    subscribed = true;
  } finally {
    if (!subscribed) changes.release();
  }
}

function refuse(context: GatewayContext, channel: Channel, ref: string | null, error: unknown): void {
  if (channel.state === 'closed') return;
  if (!isPublicError(error)) {
    const { ref: project } = channel.connection.project;
    context.ports.log.error({ ref: project, err: error }, 'a channel could not be joined');
  }
  if (isPublicError(error) && error.code === 'MAG_RESUME_EXPIRED') context.counters.resumesExpired += 1;
  channel.reply(ref, 'error', refusal(error));
  channel.step('FAILED');
  channel.connection.project.drop(channel);
}

function requireRoom(connection: Connection, topic: string): void {
  if (!topic.startsWith(TOPIC_PREFIX) || topic.length === TOPIC_PREFIX.length) {
    throw new MagError('MAG_CHANNEL_UNKNOWN', { topic }, { hint: `Topics begin with ${TOPIC_PREFIX}` });
  }
  if (Buffer.byteLength(topic) > LIMITS.topicBytes) {
    throw new MagError('MAG_CHANNEL_LIMIT', { limit: LIMITS.topicBytes, what: 'bytes in a topic' });
  }
  if (connection.channels.size >= LIMITS.channelsPerSocket) {
    throw new MagError('MAG_CHANNEL_LIMIT', {
      limit: LIMITS.channelsPerSocket,
      what: 'channels on a socket',
    });
  }
}

/** Throws MAG_CHANNEL_LIMIT where the bindings of a socket would take too much together. */
function requireBindingRoom(connection: Connection, config: JoinConfig): void {
  if (config.bindingBytes === 0) return;
  const limit = LIMITS.bindingBytesPerSocket;
  let held = config.bindingBytes;
  for (const channel of connection.channels.values()) held += channel.config.bindingBytes;
  if (held > limit) throw new MagError('MAG_CHANNEL_LIMIT', { limit, what: 'bytes of bindings on a socket' });
}

/** Throws MAG_CHANNEL_PRIVATE where the channel is private and nobody is signed in. */
export function requirePrivate(principal: Principal, config: JoinConfig, topic: string): void {
  if (!config.isPrivate || principal.role !== 'anon') return;
  throw new MagError('MAG_CHANNEL_PRIVATE', { topic, role: principal.role });
}

/**
 * Answers phx_join. A second join of a topic replaces the first, as Phoenix does. Throws what makes the message
 * itself unanswerable as a channel: a bad topic, config or key.
 */
export function join(context: GatewayContext, connection: Connection, message: PhoenixMessage): void {
  const previous = connection.channels.get(message.topic);
  if (previous !== undefined) {
    previous.pushEnd('phx_close');
    connection.project.drop(previous);
  }
  requireRoom(connection, message.topic);
  const config = parseJoin(message.payload);
  requireBindingRoom(connection, config);
  const { handle } = connection.project;
  const principal = context.identify(handle, connection.apikey, config.accessToken ?? undefined);
  requirePrivate(principal, config, message.topic);
  const channel = new Channel(connection, message.topic, message.joinRef ?? message.ref, config, principal);
  connection.addChannel(channel);
  if (config.bindings.length === 0) {
    accept(context, channel, message.ref, { postgres_changes: [] });
    channel.step('ACCEPTED');
    return;
  }
  follow(context, channel, message.ref).catch((error: unknown) =>
    refuse(context, channel, message.ref, error),
  );
}
