import { MagError, type PublicError, unnamed } from '../../errors.ts';
import type { EdgePorts } from '../edge/ports.ts';
import { reachableIn } from './description-routes.ts';
import type { RestCall } from './rest-call.ts';

/** Tables and functions that an error names beyond those that were asked for. */
export const namesOthers = (error: unknown): error is MagError =>
  error instanceof MagError && error.names.length > 0;

/** Tables and functions that who calls may use, by schema and name. */
async function usable(ports: EdgePorts, call: RestCall): Promise<ReadonlySet<string>> {
  const { tables, functions } = await reachableIn(await ports.sessions.open(call.project), call);
  const all = [...tables.map(({ table }) => table), ...functions];
  return new Set(all.map(({ schema, name }) => `${schema}.${name}`));
}

/**
 * The error as who calls may be told it: what is like the name that was asked for, or stands between two tables, is named
 * to nobody who may not use it, as the project's description does. Never rejects.
 */
export async function discreet(ports: EdgePorts, call: RestCall, error: MagError): Promise<PublicError> {
  if (call.principal.role === 'service_role') return error;
  // Where nobody can say what may be used, nothing is named: the error that is told stays the same.
  const known = await usable(ports, call).catch((): ReadonlySet<string> => new Set());
  return error.names.every((name) => known.has(name)) ? error : unnamed(error);
}
