import { describeError, isPublicError, MagError, type PublicError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Log } from '../../runtime/log.ts';

/** What Fastify throws, by its code; everything else of its 4xx is a plain bad request. */
function fromFastify(code: string, message: string, status: number): MagError | null {
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new MagError('MAG_BODY_TOO_LARGE', { limit: LIMITS.bodyBytes });
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new MagError('MAG_UNSUPPORTED_MEDIA_TYPE', { type: message.split(': ')[1] ?? 'given' });
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return new MagError('MAG_BAD_JSON', { problem: 'the body is empty' });
    default:
      return status >= 400 && status < 500 ? new MagError('MAG_BAD_REQUEST', { problem: message }) : null;
  }
}

function foreign(error: unknown): MagError | null {
  if (!(error instanceof Error)) return null;
  const code = Reflect.get(error, 'code');
  const status = Reflect.get(error, 'statusCode');
  return fromFastify(
    typeof code === 'string' ? code : '',
    error.message,
    typeof status === 'number' ? status : 500,
  );
}

/**
 * What a client may know of an error. What is not ours and not the client's fault becomes MAG_INTERNAL, and the log
 * gets the whole of it under the request's id.
 */
export function toPublic(error: unknown, log: Log, id: string): PublicError {
  if (isPublicError(error)) {
    // A part that is away is the supervisor's to report, once; each request that met it is in the metrics.
    const level = error.status === 500 ? 'warn' : 'debug';
    if (error.status >= 500)
      log[level]({ request: id, code: error.code, error: describeError(error) }, 'failed');
    return error;
  }
  const known = foreign(error);
  if (known !== null) return known;
  log.error(
    { request: id, error: describeError(error), stack: error instanceof Error ? error.stack : null },
    'a request met an unexpected error',
  );
  return new MagError('MAG_INTERNAL');
}
