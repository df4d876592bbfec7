import type { IncomingMessage } from 'node:http';
import { MagError } from '../../errors.ts';
import { isVsn, type Vsn } from '../../protocol/phoenix-frame.ts';
import type { ProjectHandle } from '../../protocol/project.ts';
import type { EdgePorts } from '../edge/ports.ts';
import { bearerOf, type Identify } from '../psu/project-key-check.ts';

/** Who connects to what, checked before the upgrade. */
export interface Admission {
  readonly handle: ProjectHandle;
  readonly apikey: string;
  readonly vsn: Vsn;
}

function vsnOf(query: URLSearchParams): Vsn {
  const vsn = query.get('vsn') ?? '1.0.0';
  if (isVsn(vsn)) return vsn;
  throw new MagError('MAG_BAD_REQUEST', { problem: `vsn ${vsn} is neither 1.0.0 nor 2.0.0` });
}

/**
 * Checks an upgrade request: the project, the key, the serializer. Throws MAG_PROJECT_NOT_FOUND, MAG_BAD_REQUEST, or
 * what principalOf throws.
 */
export async function admit(
  ports: EdgePorts,
  identify: Identify,
  request: IncomingMessage,
  ref: string,
): Promise<Admission> {
  const { url = '' } = request;
  const mark = url.indexOf('?');
  const query = new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1));
  const vsn = vsnOf(query);
  const handle = await ports.directory.find(ref);
  if (handle === null) throw new MagError('MAG_PROJECT_NOT_FOUND', { ref });
  const header = request.headers.apikey;
  const bearer = bearerOf(request.headers.authorization);
  const apikey = query.get('apikey') ?? (typeof header === 'string' ? header : undefined) ?? bearer;
  identify(handle, apikey, undefined);
  return { handle, apikey: apikey ?? '', vsn };
}
