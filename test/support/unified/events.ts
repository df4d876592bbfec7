import { type Bag, bag, bags, isBag, require, Unsupported } from './bag.ts';
import type { CommandEvent, Entities } from './entities.ts';
import { match } from './matching.ts';

function holdCommand(wanted: Bag, event: CommandEvent | undefined, entities: Entities, place: string): void {
  const [kind = ''] = Object.keys(wanted);
  const fields = bag(wanted[kind]);
  require(event !== undefined, `${place}: expected ${kind}, and there was no more`);
  require(event.kind === kind, `${place}: expected ${kind}, got ${event.kind}`);
  for (const each of ['commandName', 'databaseName'] as const)
    require(fields[each] === undefined ||
      event[each] === fields[each], `${place}: its ${each} is ${event[each]}`);
  for (const each of ['command', 'reply'] as const)
    if (fields[each] !== undefined) match(fields[each], own(event, each, bag(fields[each])), entities);
  for (const [each, value] of [
    ['hasServiceId', event.serviceId],
    ['hasServerConnectionId', event.serverConnectionId],
  ] as const)
    if (fields[each] !== undefined) require((value != null) === fields[each], `${place}: ${each}`);
}

/** The driver adds ten seconds to the write concern of every commit and abort; that is not the server's affair. */
function own(event: CommandEvent, field: 'command' | 'reply', wanted: Bag): unknown {
  const given = event[field];
  const { writeConcern } = bag(given);
  const wants = Object.hasOwn(bag(wanted['writeConcern']), 'wtimeout');
  if (wants || !/^(commit|abort)Transaction$/.test(event.commandName) || !isBag(writeConcern)) return given;
  const { wtimeout, ...others } = writeConcern;
  return wtimeout === 10_000 ? { ...bag(given), writeConcern: others } : given;
}

/** Holds the events that clients saw against what a test expects. Throws Mismatch. */
export function expectEvents(expected: unknown, entities: Entities): void {
  for (const { client, eventType = 'command', events, ignoreExtraEvents } of bags(expected)) {
    const { commands, pools } = entities.observed(String(client));
    const wanted = bags(events);
    if (eventType === 'cmap') {
      for (const [index, each] of wanted.entries()) {
        const [name = ''] = Object.keys(each);
        require(pools[index]?.name ===
          name, `event ${index}: expected ${name}, got ${String(pools[index]?.name)}`);
      }
      continue;
    }
    if (eventType !== 'command') throw new Unsupported(`events of the kind ${String(eventType)}`);
    for (const [index, each] of wanted.entries())
      holdCommand(each, commands[index], entities, `event ${index}`);
    const names = commands.map(({ commandName }) => commandName).join();
    require(ignoreExtraEvents === true ||
      commands.length ===
        wanted.length, `expected ${wanted.length} events, got ${commands.length}: ${names}`);
  }
}
