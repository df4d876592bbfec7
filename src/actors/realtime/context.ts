import type { EdgePorts } from '../edge/ports.ts';
import type { visible } from '../psu/access.ts';
import type { Identify } from '../psu/project-key-check.ts';
import type { Counters } from './counters.ts';
import type { Flusher } from './outbox.ts';
import type { Presence } from './presence.ts';

/** What the parts of one gateway share. */
export interface GatewayContext {
  readonly ports: EdgePorts;
  readonly counters: Counters;
  readonly flusher: Flusher;
  readonly presence: Presence;
  readonly see: typeof visible;
  readonly identify: Identify;
}
