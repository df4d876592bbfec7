/** The virtual host: the same runtime on virtual time and seeded entropy. */
export { type VirtualHost, virtualHost } from './virtual-host.ts';
