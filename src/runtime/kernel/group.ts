import type { AnyMessage, Message } from '../spec.ts';
import type { Group, Ref } from '../system.ts';
import type { Names } from './names.ts';
import { LocalRef, speaking } from './ref.ts';

/** The actors of this thread that joined a group. */
export class CellGroup<M extends AnyMessage> implements Group<M> {
  readonly #names: Names;
  readonly #name: string;

  constructor(names: Names, name: string) {
    this.#names = names;
    this.#name = name;
  }

  members(): readonly Ref<M>[] {
    return this.#names.members(this.#name).map((cell) => speaking<M>(new LocalRef(cell)));
  }

  broadcast(message: M): number {
    let taken = 0;
    // A protocol's messages are plain data with a type, whatever interface declares them.
    for (const cell of this.#names.members(this.#name))
      if (cell.send(message as unknown as Message) === 'sent') taken += 1;
    return taken;
  }

  pick(): Ref<M> | undefined {
    const cell = this.#names.pick(this.#name);
    return cell === undefined ? undefined : speaking(new LocalRef(cell));
  }
}
