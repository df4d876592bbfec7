import { LIMITS } from '../../limits.ts';
import type { EdgePorts } from '../edge/ports.ts';
import { cookieOf, SESSION_COOKIE } from './admin-auth.ts';
import { type SessionBody, sessionBody } from './admin-schemas.ts';
import type { App } from './fastify-app.ts';

/** No script reads it and no other site sends it; it is only ever looked at under /admin. */
const cookie = (value: string, maxAge: number): string =>
  `${SESSION_COOKIE}=${value}; Path=/admin; Max-Age=${maxAge}; HttpOnly; SameSite=Strict`;

/** The console's way in: the admin key or a login ticket for a session cookie, and out again. */
export function sessionRoutes(app: App, ports: EdgePorts): void {
  app.post<{ Body: SessionBody }>('/session', { schema: { body: sessionBody } }, async (request, reply) => {
    const opened = await ports.admin.request('SESSION_OPEN', request.body);
    reply.header('set-cookie', cookie(opened.token, opened.expiresInSeconds));
    return { expiresInSeconds: opened.expiresInSeconds };
  });
  app.delete('/session', async (request, reply) => {
    const token = cookieOf(request.headers.cookie, SESSION_COOKIE);
    if (token !== undefined && token.length <= LIMITS.credentialBytes)
      await ports.admin.request('SESSION_CLOSE', { token });
    return reply.status(204).header('set-cookie', cookie('', 0)).send();
  });
}
