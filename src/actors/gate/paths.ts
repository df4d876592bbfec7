/** `/p/REF/rest/v1/x` in its two parts; null where a path is not a project's. */
export function splitProject(path: string): { readonly ref: string; readonly rest: string } | null {
  if (!path.startsWith('/p/')) return null;
  const end = path.indexOf('/', 3);
  if (end <= 3) return null;
  return { ref: path.slice(3, end), rest: path.slice(end) };
}

const PROJECT_PATHS = ['/rest/v1', '/realtime/v1', '/sql/v1', '/tx/v1', '/auth/v1', '/native/v1'];

const isAddress = (host: string): boolean => host.startsWith('[') || /^[\d.]+$/.test(host);

/**
 * The URL under /p/REF of a request that names its project by host: `REF.DOMAIN/rest/v1/…`. With no `domain` given
 * the first label of any host name of two or more counts. Other paths belong to the board, whatever the host.
 */
export function byHost(url: string, host: string | undefined, domain: string | undefined): string {
  if (host === undefined || !PROJECT_PATHS.some((path) => url.startsWith(path))) return url;
  const colon = host.lastIndexOf(':');
  const name = (colon > host.lastIndexOf(']') ? host.slice(0, colon) : host).toLowerCase();
  const dot = name.indexOf('.');
  if (dot <= 0 || isAddress(name)) return url;
  if (domain !== undefined && name.slice(dot + 1) !== domain.toLowerCase()) return url;
  return `/p/${name.slice(0, dot)}${url}`;
}
