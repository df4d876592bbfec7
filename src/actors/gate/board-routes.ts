import type { EdgePorts } from '../edge/ports.ts';
import { boardDocument } from './board-document.ts';
import { type App, nothingAt, replyWithError } from './fastify-app.ts';
import { type StaticFiles, UI_HEADERS } from './static-files.ts';

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** What anybody may ask: is it alive, is it ready, how much, which routes; and the console's files. */
export function boardRoutes(app: App, ports: EdgePorts, files: StaticFiles): void {
  app.get('/livez', () => ports.status());
  app.get('/readyz', (_request, reply) => {
    const status = ports.status();
    if (status.status === 'ready' || status.status === 'degraded') return reply.send(status);
    return reply.status(503).header('retry-after', '1').send(status);
  });
  app.get('/metrics', async (_request, reply) => {
    const text = await ports.admin.request('METRICS', {});
    return reply.type(METRICS_TYPE).send(text);
  });
  app.get('/openapi.json', () => boardDocument());
  app.get('/*', (request, reply) => {
    const mark = request.url.indexOf('?');
    const path = mark === -1 ? request.url : request.url.slice(0, mark);
    const file = files.find(path);
    if (file === null) {
      return replyWithError(request, reply, nothingAt(path), ports);
    }
    for (let at = 0; at < UI_HEADERS.length; at += 2) reply.header(UI_HEADERS[at] ?? '', UI_HEADERS[at + 1]);
    reply.header('etag', file.etag).header('cache-control', file.cache).type(file.type);
    if (request.headers['if-none-match'] === file.etag) return reply.status(304).send();
    return reply.send(file.body);
  });
}
