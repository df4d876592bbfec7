import { LIMITS } from '../../limits.ts';
import {
  commandBody,
  credentialBody,
  nativeBody,
  projectBody,
  sessionBody,
  settingsBody,
  settingsPatchBody,
  sqlBody,
  tokenBody,
} from './admin-schemas.ts';
import { transactionBody } from './transaction/body.ts';

interface Operation {
  readonly summary: string;
  readonly security: readonly object[];
  readonly requestBody?: object;
  readonly responses: object;
}

const ADMIN = [{ adminKey: [] }, { session: [] }];
const SERVICE = [{ projectKey: [] }];

const FAILURE = {
  description: 'An error with a stable code',
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
};

function operation(summary: string, security: readonly object[], status: number, body?: object): Operation {
  const responses = { [status]: { description: 'Done' }, default: FAILURE };
  if (body === undefined) return { summary, security, responses };
  const content = { 'application/json': { schema: body } };
  return { summary, security, requestBody: { required: true, content }, responses };
}

const parameter = (name: string): object => ({
  name,
  in: 'path',
  required: true,
  schema: { type: 'string' },
});

/** On every write of a project: a retry under the same key has no second effect. */
export const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'A retry of the same request under the same key has no second effect',
  schema: { type: 'string', minLength: 1, maxLength: LIMITS.idempotencyKeyChars },
};

const PATHS = {
  '/livez': { get: operation('Whether the process answers', [], 200) },
  '/readyz': { get: operation('Whether the board serves, and the health of each component', [], 200) },
  '/metrics': { get: operation('Prometheus text', [], 200) },
  '/admin/v1/session': {
    post: operation('Open a console session', [], 200, sessionBody),
    delete: operation('Close the console session', [], 204),
  },
  '/admin/v1/projects': {
    get: operation('List projects', ADMIN, 200),
    post: operation('Create a project', ADMIN, 201, projectBody),
  },
  '/admin/v1/projects/{ref}': {
    parameters: [parameter('ref')],
    get: operation('A project', ADMIN, 200),
    delete: operation('Drop a project and its data', ADMIN, 204),
  },
  '/admin/v1/projects/{ref}/keys': {
    parameters: [parameter('ref')],
    get: operation("A project's API keys", ADMIN, 200),
  },
  '/admin/v1/projects/{ref}/keys/rotate': {
    parameters: [parameter('ref')],
    post: operation('New API keys in place of the old ones', ADMIN, 200),
  },
  '/admin/v1/projects/{ref}/tokens': {
    parameters: [parameter('ref')],
    post: operation('A signed token, to try an app as one of its users', ADMIN, 201, tokenBody),
  },
  '/admin/v1/projects/{ref}/credentials': {
    parameters: [parameter('ref')],
    get: operation('Users of the database for tools beside the board', ADMIN, 200),
    post: operation('Make one; its password is shown once', ADMIN, 201, credentialBody),
  },
  '/admin/v1/projects/{ref}/credentials/{id}': {
    parameters: [parameter('ref'), parameter('id')],
    delete: operation('Revoke one, and cut off who is connected with it', ADMIN, 204),
  },
  '/admin/v1/projects/{ref}/credentials/{id}/rotate': {
    parameters: [parameter('ref'), parameter('id')],
    post: operation('Another password in place of the old one', ADMIN, 200),
  },
  '/admin/v1/projects/{ref}/settings': {
    parameters: [parameter('ref')],
    put: operation("Replace a project's settings", ADMIN, 200, settingsBody),
    patch: operation('Change some of them; null takes one away', ADMIN, 200, settingsPatchBody),
  },
  '/admin/v1/engines': { get: operation('Engines, and why one is not available', ADMIN, 200) },
  '/admin/v1/actors': { get: operation('The actor tree', ADMIN, 200) },
  '/admin/v1/actors/{path}/{command}': {
    parameters: [parameter('path'), parameter('command')],
    post: operation('Crash, restart, stop, pause or resume an actor', ADMIN, 202, commandBody),
  },
  '/admin/v1/scope': { get: operation('MagScope frames (WebSocket)', ADMIN, 101) },
  '/p/{ref}/sql/v1': {
    parameters: [parameter('ref'), IDEMPOTENCY_KEY],
    post: operation('Run native SQL', SERVICE, 200, sqlBody),
  },
  '/p/{ref}/native/v1': {
    parameters: [parameter('ref')],
    post: operation('Run a document or key command', SERVICE, 200, nativeBody),
  },
  '/p/{ref}/auth/v1/.well-known/jwks.json': {
    parameters: [parameter('ref')],
    get: operation("Public keys of a project's tokens", [], 200),
  },
  '/p/{ref}/tx/v1': {
    parameters: [parameter('ref'), IDEMPOTENCY_KEY],
    post: operation('Run several operations in one transaction', SERVICE, 200, transactionBody),
  },
  '/p/{ref}/rest/v1/': {
    parameters: [parameter('ref')],
    get: operation("OpenAPI document of a project's tables", SERVICE, 200),
  },
  '/p/{ref}/realtime/v1/websocket': {
    parameters: [parameter('ref')],
    get: operation('Phoenix channels (WebSocket)', SERVICE, 101),
  },
};

const text = { type: 'string' };
const maybe = { type: ['string', 'null'] };

export const ERROR_SCHEMA = {
  type: 'object',
  required: ['code', 'message', 'details', 'hint'],
  properties: { code: text, message: text, details: maybe, hint: maybe },
};

/** OpenAPI 3.1 of the board itself. */
export function boardDocument(): object {
  return {
    openapi: '3.1.0',
    info: { title: 'MagMoBo', version: '1' },
    paths: PATHS,
    components: {
      schemas: { Error: ERROR_SCHEMA },
      securitySchemes: {
        adminKey: { type: 'http', scheme: 'bearer' },
        session: { type: 'apiKey', in: 'cookie', name: 'mag_session' },
        projectKey: { type: 'apiKey', in: 'header', name: 'apikey' },
      },
    },
  };
}
