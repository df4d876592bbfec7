import type { IncomingHttpHeaders } from 'node:http';
import { MagError } from '../../errors.ts';
import { notOneRow } from '../../protocol/one-row.ts';
import type { EngineKind, ProjectSettings } from '../../protocol/project.ts';
import type { CallQuery, Filter, InsertQuery, Query, SelectQuery } from '../../protocol/query.ts';
import type { Accepted } from '../storage/engine.ts';
import { namedArguments, parseArguments, parseChanges, parseRows } from './body.ts';
import { limitEmbeds, requireDistinct } from './grammar/embeds.ts';
import { type Params, parseParams } from './grammar/params.ts';
import { type Window, windowOf } from './grammar/range.ts';
import { acceptedType, acceptOf, bodyType, JSON_ROWS, type MediaType } from './media-type.ts';
import { type Preferences, type PreferredFor, preferencesOf } from './preferences.ts';
import { fromProfile } from './profile-header.ts';
import { type Equality, keyOf } from './single-upsert.ts';

/** A REST request, understood: what to run and how to answer. */
export interface RestPlan<Of extends Query | CallQuery = Query | CallQuery> {
  readonly kind: PreferredFor;
  readonly query: Of;
  readonly prefer: Preferences;
  readonly media: MediaType;
  /** Where the engine may make other types: which are wanted. */
  readonly accepts?: Accepted | undefined;
  /** First row asked for, for Content-Range. */
  readonly offset: number;
  /** The write gives rows back to the client. */
  readonly returning: boolean;
  /** What is read embeds other tables: how they hang together is the schema's to say. */
  readonly embeds: boolean;
  /** Of a PUT: which row it means. */
  readonly key?: readonly Equality[];
}

/** What a request is about: a table, or with `call` a function. */
export interface RestSubject {
  readonly table: string;
  readonly call?: boolean;
}

const PUBLIC = 'public';

/** What of a project decides how its requests are read. */
export interface PlannedProject {
  readonly settings: ProjectSettings;
  /** Absent: one that knows of no zones. */
  readonly engine?: EngineKind;
}

/** One that was never told otherwise. */
const PLAIN: PlannedProject = { settings: { grants: [] } };

/** How the client would have it done, and its reply written. */
type Wanted = Pick<RestPlan, 'prefer' | 'media' | 'accepts'>;

/** Of rows, and of what a function gives, PostgreSQL may make any type. */
function wantedOf(headers: IncomingHttpHeaders, { engine, settings }: PlannedProject): Wanted {
  const prefer = preferencesOf(headers.prefer, engine === 'postgres');
  const plans = settings.plans === true;
  if (engine !== 'postgres') return { prefer, media: acceptedType(headers.accept, plans) };
  const { media, accepts } = acceptOf(headers.accept, plans);
  return { prefer, media: media ?? JSON_ROWS, accepts };
}

/** The schemas that REST reaches. */
export const exposedIn = ({ schemas }: ProjectSettings): readonly string[] => schemas ?? [PUBLIC];

/** The first is what a request that names none is of, as PostgREST's `db-schemas`. Throws PGRST106. */
export function schemaOf(header: string | string[] | undefined, { schemas }: ProjectSettings): string {
  const [first = PUBLIC] = schemas ?? [];
  if (header === undefined) return first;
  const asked = String(header);
  // A name may be beyond ASCII: a header has its bytes, the body of a transaction its characters.
  const found = (schemas ?? [first]).find((schema) => schema === asked || schema === fromProfile(asked));
  if (found !== undefined) return found;
  const shown = (schemas ?? [first]).join(', ');
  throw new MagError('PGRST106', { schema: asked.slice(0, 100), schemas: shown });
}

function readParams(
  search: string,
  mode: Parameters<typeof parseParams>[1],
  table: string,
  settings: ProjectSettings,
): Params {
  const params = parseParams(search, mode);
  if (params.embeds) requireDistinct(params.select, table);
  if (params.aggregates && settings.aggregates !== true) throw new MagError('PGRST123');
  const { maxRows } = settings;
  if (maxRows === undefined || mode === 'write' || !params.embeds) return params;
  return { ...params, select: limitEmbeds(params.select, maxRows) };
}

/** What a table's and a function's rows are read by. */
function reading(params: Params, prefer: Preferences, window: Window, { maxRows }: ProjectSettings): Reading {
  return {
    select: params.select,
    ...(params.where === null ? {} : { where: params.where }),
    order: params.order,
    limit: window.limit,
    ...(window.offset === 0 ? {} : { offset: window.offset }),
    ...(prefer.count === null ? {} : { count: prefer.count }),
    ...(prefer.count === 'estimated' && maxRows !== undefined ? { exactUpTo: maxRows } : {}),
  };
}

type Reading = Pick<SelectQuery, 'select' | 'where' | 'order' | 'limit' | 'offset' | 'count' | 'exactUpTo'>;

/** The Range header is for GET alone, as RFC 9110 has it. */
const rangeOf = (method: string, headers: IncomingHttpHeaders): string | undefined =>
  method === 'GET' ? headers.range : undefined;

function planRead(
  method: string,
  schema: string,
  table: string,
  params: Params,
  headers: IncomingHttpHeaders,
  { prefer, media, accepts }: Wanted,
  settings: ProjectSettings,
): RestPlan<Query> {
  const window = windowOf(params.limit, params.offset, rangeOf(method, headers), settings.maxRows);
  const query: Query = { kind: 'select', schema, table, ...reading(params, prefer, window, settings) };
  return {
    kind: 'read',
    query,
    prefer,
    media,
    accepts,
    offset: window.offset,
    returning: true,
    embeds: params.embeds,
  };
}

function onConflict(params: Params, prefer: Preferences): Pick<InsertQuery, 'onConflict'> {
  const { resolution } = prefer;
  if (resolution === null) return {};
  return {
    onConflict: params.onConflict === null ? { resolution } : { resolution, columns: params.onConflict },
  };
}

/** Reads what a write says, whatever it does. */
class Write {
  readonly params: Params;
  readonly prefer: Preferences;
  readonly media: MediaType;
  readonly #target: { readonly schema: string; readonly table: string };
  readonly #accepts: Accepted | undefined;
  readonly #headers: IncomingHttpHeaders;
  readonly #body: string;

  constructor(
    target: { readonly schema: string; readonly table: string },
    params: Params,
    headers: IncomingHttpHeaders,
    body: string,
    { prefer, media, accepts }: Wanted,
  ) {
    this.params = params;
    this.prefer = prefer;
    this.media = media;
    // The key that a location is made of is no reply.
    this.#accepts = prefer.returns === 'headers-only' ? undefined : accepts;
    this.#target = target;
    this.#headers = headers;
    this.#body = body;
  }

  get returning(): boolean {
    return this.prefer.returns === 'representation';
  }

  plan(kind: PreferredFor, query: Query): RestPlan<Query> {
    const { prefer, media, returning } = this;
    const accepts = this.#accepts;
    const embeds = returning && this.params.embeds;
    return { kind, query, prefer, media, accepts, offset: 0, returning, embeds };
  }

  insert(): RestPlan<Query> {
    const { params, prefer } = this;
    const { columns } = params;
    const rows = parseRows(this.#type(), this.#body, columns);
    if (this.media.kind === 'object' && rows.length !== 1) throw notOneRow(rows.length);
    return this.plan('insert', {
      kind: 'insert',
      ...this.#target,
      rows,
      missing: prefer.missing,
      ...(columns === null ? {} : { columns }),
      ...onConflict(params, prefer),
      ...this.#returned(),
    });
  }

  /** PUT: the one row that the filters name, made or replaced. */
  put(): RestPlan<Query> {
    const { params } = this;
    if (params.limit !== null || params.offset !== null) throw new MagError('PGRST114');
    const key = keyOf(params.where);
    // As PostgREST: of several rows it is the first that is meant.
    const rows = parseRows(this.#type(), this.#body, null).slice(0, 1);
    if (rows.length === 0) throw new MagError('PGRST115');
    const plan = this.plan('put', {
      kind: 'insert',
      ...this.#target,
      rows,
      missing: 'null',
      onConflict: { resolution: 'merge', columns: key.map(({ column }) => column.name) },
      ...this.#returned(),
    });
    return { ...plan, key };
  }

  update(): RestPlan<Query> {
    const changes = parseChanges(this.#type(), this.#body, this.params.columns, this.prefer.missing);
    return this.plan('update', { kind: 'update', ...this.#target, ...changes, ...this.#narrowed() });
  }

  delete(): RestPlan<Query> {
    return this.plan('delete', { kind: 'delete', ...this.#target, ...this.#narrowed() });
  }

  #type(): ReturnType<typeof bodyType> {
    return bodyType(this.#headers['content-type'], ['json', 'csv', 'form']);
  }

  #returned(): Returned {
    if (!this.returning) return {};
    const { select, order } = this.params;
    return { returning: select, ...(order.length === 0 ? {} : { order }) };
  }

  #narrowed(): Narrowed {
    const { where } = this.params;
    const maxAffected = this.#most();
    return {
      ...(where === null ? {} : { where }),
      ...this.#returned(),
      // Who asks for a single object must not change two rows to learn that there were two.
      ...(this.media.kind === 'object' ? { single: true } : {}),
      ...(maxAffected === null ? {} : { maxAffected }),
    };
  }

  /**
   * Under PostgREST a limit on a write stopped meaning anything with its version 13. Here it is kept or refused: a write
   * of no more rows is answered alike, and one of more must not touch what was not asked for.
   */
  #most(): number | null {
    const { limit, offset } = this.params;
    const { maxAffected } = this.prefer;
    if (offset !== null && offset > 0) {
      const details = 'offset is not supported on updates and deletes';
      throw new MagError('PGRST100', { what: 'offset', column: 1 }, { details });
    }
    return limit === null || maxAffected === null ? (limit ?? maxAffected) : Math.min(limit, maxAffected);
  }
}

type Returned = Pick<InsertQuery, 'returning' | 'order'>;

interface Narrowed extends Returned {
  readonly where?: Filter;
  readonly single?: true;
  readonly maxAffected?: number;
}

function planCall(
  method: string,
  schema: string,
  name: string,
  search: string,
  headers: IncomingHttpHeaders,
  body: string,
  project: PlannedProject,
): RestPlan {
  const read = method !== 'POST';
  const params = readParams(search, read ? 'call' : 'read', name, project.settings);
  const { prefer, media, accepts } = wantedOf(headers, project);
  const { settings } = project;
  const window = windowOf(params.limit, params.offset, rangeOf(method, headers), settings.maxRows);
  const type = read
    ? 'json'
    : bodyType(headers['content-type'], ['json', 'form', 'csv', 'text', 'xml', 'binary']);
  const query: CallQuery = {
    kind: 'call',
    schema,
    function: name,
    arguments: read ? namedArguments(params.args) : parseArguments(type, body, params.columns),
    readOnly: read,
    ...reading(params, prefer, window, settings),
    ...(media.kind === 'object' && !read ? { single: true } : {}),
    ...(prefer.maxAffected === null ? {} : { maxAffected: prefer.maxAffected }),
  };
  const { offset } = window;
  return { kind: 'call', query, prefer, media, accepts, offset, returning: true, embeds: params.embeds };
}

const isRead = (method: string): boolean => method === 'GET' || method === 'HEAD';

function schemaFor(method: string, headers: IncomingHttpHeaders, settings: ProjectSettings): string {
  return schemaOf(headers[isRead(method) ? 'accept-profile' : 'content-profile'], settings);
}

/** The same for a table alone. */
export function planTable(
  method: string,
  table: string,
  search: string,
  headers: IncomingHttpHeaders,
  body: string,
  project: PlannedProject = PLAIN,
): RestPlan<Query> {
  const schema = schemaFor(method, headers, project.settings);
  const params = readParams(search, isRead(method) ? 'read' : 'write', table, project.settings);
  const wanted = wantedOf(headers, project);
  if (isRead(method)) return planRead(method, schema, table, params, headers, wanted, project.settings);
  const write = new Write({ schema, table }, params, headers, body, wanted);
  if (method === 'POST') return write.insert();
  if (method === 'PUT') return write.put();
  return method === 'DELETE' ? write.delete() : write.update();
}

/**
 * Reads one REST request. `search` is the query string without `?`, `body` the text of the body or empty.
 *
 * Throws PGRST1xx, 42712, MAG_BAD_REQUEST or MAG_UNSUPPORTED_MEDIA_TYPE.
 */
export function planRequest(
  method: string,
  { table, call }: RestSubject,
  search: string,
  headers: IncomingHttpHeaders,
  body: string,
  project: PlannedProject = PLAIN,
): RestPlan {
  if (call !== true) return planTable(method, table, search, headers, body, project);
  return planCall(
    method,
    schemaFor(method, headers, project.settings),
    table,
    search,
    headers,
    body,
    project,
  );
}
