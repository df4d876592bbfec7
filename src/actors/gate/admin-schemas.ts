import { LIMITS } from '../../limits.ts';
import { CREDENTIAL_MODES } from '../../protocol/credentials.ts';
import { GRANT_ROLES, TABLE_ACTIONS } from '../../protocol/principal.ts';
import { ACCESS_MODES, ENGINE_KINDS } from '../../protocol/project.ts';
import type { JsonValue } from '../../protocol/query.ts';
import { TOKEN_ALGORITHMS } from '../../protocol/tokens.ts';

// JSON Schema as it is, each beside the type it admits: a schema library would cost every edge worker 25 MB and a
// tenth of a second at its start.

const closed = { type: 'object', additionalProperties: false };
const text = (maxLength: number): object => ({ type: 'string', minLength: 1, maxLength });

export interface ProjectBody {
  readonly name: string;
  readonly engine: string;
}

export const projectBody = {
  ...closed,
  required: ['name', 'engine'],
  properties: {
    // The catalogue says which characters a name may have.
    name: text(LIMITS.projectNameChars),
    engine: { ...text(32), examples: ENGINE_KINDS },
  },
};

/** For the description alone: the catalogue checks settings, and says which part of them is wrong. */
export const settingsBody = {
  ...closed,
  required: ['grants'],
  properties: {
    access: { enum: ACCESS_MODES },
    schemas: { type: 'array', maxItems: LIMITS.schemas, items: text(LIMITS.grantTableChars) },
    extraSearchPath: { type: 'array', maxItems: LIMITS.schemas, items: text(LIMITS.grantTableChars) },
    maxRows: { type: 'integer', minimum: 1, maximum: LIMITS.maxRows },
    aggregates: { type: 'boolean' },
    plans: { type: 'boolean' },
    serverTiming: { type: 'boolean' },
    preRequest: text(127),
    grants: {
      type: 'array',
      maxItems: LIMITS.grants,
      items: {
        ...closed,
        required: ['role', 'table', 'actions'],
        properties: {
          role: { enum: GRANT_ROLES },
          table: text(LIMITS.grantTableChars),
          actions: { type: 'array', minItems: 1, items: { enum: TABLE_ACTIONS } },
          using: text(LIMITS.grantUsingChars),
        },
      },
    },
  },
};

/** Of a PATCH: any of them, or null for its default. */
export const settingsPatchBody = {
  ...closed,
  properties: Object.fromEntries(
    Object.entries(settingsBody.properties).map(([name, schema]) => [
      name,
      { anyOf: [schema, { type: 'null' }] },
    ]),
  ),
};

export const tokenBody = {
  ...closed,
  required: ['role'],
  properties: {
    role: { enum: [...GRANT_ROLES, 'service_role'] },
    claims: { type: 'object' },
    expiresIn: { type: 'integer', minimum: 1, maximum: LIMITS.tokenSeconds },
    algorithm: { enum: TOKEN_ALGORITHMS },
  },
};

export const credentialBody = {
  ...closed,
  required: ['name', 'mode'],
  properties: { name: text(LIMITS.projectNameChars), mode: { enum: CREDENTIAL_MODES } },
};

/** Null where the request had no body. */
export type CommandBody = { readonly reason?: string; readonly fault?: 'throw' | 'exit' | 'spin' } | null;

export const commandBody = {
  anyOf: [
    { type: 'null' },
    { ...closed, properties: { reason: text(500), fault: { enum: ['throw', 'exit', 'spin'] } } },
  ],
};

export type SessionBody = { readonly key: string } | { readonly ticket: string };

const secret = text(LIMITS.credentialChars);

export const sessionBody = {
  anyOf: [
    { ...closed, required: ['key'], properties: { key: secret } },
    { ...closed, required: ['ticket'], properties: { ticket: secret } },
  ],
};

export interface SqlBody {
  readonly query: string;
  readonly params?: readonly JsonValue[];
}

export const sqlBody = {
  ...closed,
  required: ['query'],
  properties: { query: { type: 'string', minLength: 1 }, params: { type: 'array', maxItems: 32_766 } },
};

export interface NativeBody {
  readonly command: JsonValue;
}

/** A document command is an object, a key command an array; which the project's engine takes, it says itself. */
export const nativeBody = {
  ...closed,
  required: ['command'],
  properties: { command: { anyOf: [{ type: 'object' }, { type: 'array' }] } },
};

export interface BroadcastBody {
  readonly messages: readonly {
    readonly topic: string;
    readonly event: string;
    readonly payload?: JsonValue;
    readonly private?: boolean;
  }[];
}

export const broadcastBody = {
  type: 'object',
  required: ['messages'],
  properties: {
    messages: {
      type: 'array',
      minItems: 1,
      maxItems: 100,
      items: {
        type: 'object',
        required: ['topic', 'event'],
        properties: { topic: text(512), event: text(512), payload: {}, private: { type: 'boolean' } },
      },
    },
  },
};
