import { inject } from 'vitest';
import type { ServiceName } from './catalog.ts';
import type { FoundService } from './start.ts';

/**
 * What stands ready for the tests under this name. Where it is missing, use `describe.skipIf(!found.available)`:
 * the run has said so loudly, and fails as a whole under MAG_REQUIRE_SERVICES=1.
 */
export const service = (name: ServiceName): FoundService => inject('services')[name];
