import type { Change } from '../../protocol/change.ts';
import type { Vsn } from '../../protocol/phoenix-frame.ts';
import type { Principal } from '../../protocol/principal.ts';
import type { Binding } from '../../protocol/realtime-config.ts';
import { type Channel, principalKey } from './channel.ts';

/**
 * Channels that ask for the same changes of the same topic under the same principal: what each change means for
 * them is decided once, and encoded once.
 */
export interface ChangeGroup {
  readonly key: string;
  readonly fullTopic: string;
  readonly vsn: Vsn;
  readonly principal: Principal;
  readonly principalKey: string;
  readonly bindings: readonly Binding[];
  /** Whether frames carry epoch and offset. */
  readonly positions: boolean;
  /** Equal for groups whose frames are equal when they are shown the same. */
  readonly frameKey: string;
  readonly channels: Set<Channel>;
  /** An access rule or filter raised at the last change; its channels were told. */
  failing: boolean;
}

const indexKeys = (binding: Binding): string => `${binding.schema}\n${binding.table}`;

/** The groups of one project, found by the table that changed. */
export class ChangeGroups {
  readonly #groups = new Map<string, ChangeGroup>();
  readonly #byTable = new Map<string, Set<ChangeGroup>>();

  get size(): number {
    return this.#groups.size;
  }

  values(): Iterable<ChangeGroup> {
    return this.#groups.values();
  }

  /** Puts a channel into its group under its present principal. */
  add(channel: Channel): void {
    const { vsn } = channel.connection;
    const positions = channel.config.extension !== null;
    const ids = channel.config.bindings.map((binding) => binding.id).join(',');
    const frameKey = `${channel.fullTopic}\n${vsn} ${positions}`;
    const owner = principalKey(channel.principal);
    const key = `${frameKey}\n${ids}\n${owner}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = {
        key,
        fullTopic: channel.fullTopic,
        vsn,
        principal: channel.principal,
        principalKey: owner,
        bindings: channel.config.bindings,
        positions,
        frameKey,
        channels: new Set(),
        failing: false,
      };
      this.#groups.set(key, group);
      for (const binding of group.bindings) this.#index(binding, group);
    }
    group.channels.add(channel);
    channel.group = group;
  }

  remove(channel: Channel): void {
    const { group } = channel;
    channel.group = null;
    if (group === null || !group.channels.delete(channel) || group.channels.size > 0) return;
    this.#groups.delete(group.key);
    for (const binding of group.bindings) {
      const set = this.#byTable.get(indexKeys(binding));
      set?.delete(group);
      if (set?.size === 0) this.#byTable.delete(indexKeys(binding));
    }
  }

  /** Groups that a change may concern, each once. */
  candidates(change: Change): ReadonlySet<ChangeGroup> {
    const found: ReadonlySet<ChangeGroup>[] = [];
    for (const schema of [change.schema, '*']) {
      for (const table of [change.table, '*']) {
        const set = this.#byTable.get(`${schema}\n${table}`);
        if (set !== undefined) found.push(set);
      }
    }
    const [only] = found;
    return found.length === 1 && only !== undefined ? only : new Set(found.flatMap((set) => [...set]));
  }

  #index(binding: Binding, group: ChangeGroup): void {
    const key = indexKeys(binding);
    const set = this.#byTable.get(key) ?? new Set();
    set.add(group);
    this.#byTable.set(key, set);
  }
}
