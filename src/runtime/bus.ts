import type { Bus, TopicSet } from '../streams/bus/bus.ts';
import { type BusOptions, openBus } from '../streams/bus/open-bus.ts';
import type { ChildSpec } from './spec.ts';
import { component } from './specs.ts';

/**
 * A bus as a supervised component: `system.service(id)` gives the Bus while it runs. A disk that fails ends its
 * incarnation; the next one opens the logs anew, and its subscribers subscribe again.
 */
export function bus<const Topics extends TopicSet>(
  id: string,
  options: BusOptions<Topics> & Omit<ChildSpec, 'id' | 'behaviour'>,
): ChildSpec {
  const { topics, folder, ...rest } = options;
  return component(
    id,
    async (context) => {
      const place = { host: context.host, onFailed: (error: Error) => context.fail(error) };
      const api: Bus<Topics> = await openBus(folder === undefined ? { topics } : { topics, folder }, place);
      return { api, stop: () => api.close() };
    },
    rest,
  );
}
