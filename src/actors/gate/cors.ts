import type { FlatHeaders } from './reply.ts';

/**
 * Browsers may call a project from any page, as with Supabase: the key, not the origin, is what admits. No
 * credentials mode, so that a page cannot ride on a cookie. The admin API has no CORS at all.
 */
export const CORS: readonly string[] = [
  'access-control-allow-origin',
  '*',
  'access-control-expose-headers',
  'content-range, content-location, idempotency-body, idempotency-replayed, location, preference-applied, proxy-status, retry-after, x-request-id',
];

/** `requested`: what the browser says it will send. A wildcard would not cover Authorization. */
export function preflight(requested: string | undefined): FlatHeaders {
  const asked = requested === undefined || requested.length > 1_000 ? '*' : requested;
  const named = asked.split(',').map((name) => name.replace(/[^\w\-*]/g, ''));
  return [
    'access-control-allow-origin',
    '*',
    'access-control-allow-methods',
    'GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD',
    'access-control-allow-headers',
    ['Authorization', ...named, 'Accept', 'Accept-Language', 'Content-Language'].join(', '),
    'access-control-max-age',
    '86400',
  ];
}
