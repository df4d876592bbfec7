import { createSystem, light, type Message, type Question, sleep, supervisor } from '../src/index.ts';

/**
 * Finding each other: a unique name for the one that leads, a group for those that do the work, a monitor to hear of an
 * end, and a link to share one.
 */
type Translator = Question<{ type: 'TRANSLATE'; word: string }, string>;

const translator = (id: string, words: Readonly<Record<string, string>>) =>
  light(
    id,
    {
      init: () => words,
      receive: (state, message: Translator) => {
        if (message.word === '') throw new Error('no word at all');
        message.reply?.(`${state[message.word] ?? '?'} (${id})`);
        return state;
      },
    },
    { groups: ['translators'], restart: 'temporary' },
  );

/** Whoever asks the desk needs to know its name only. It hands the question on, and its `reply` with it. */
const desk = light(
  'desk',
  {
    init: (_, { system }) => system.group<Translator>('translators'),
    receive: (translators, message: Translator) => {
      const next = translators.pick();
      if (next === undefined) message.reply?.('nobody is here');
      else next.send(message);
      return translators;
    },
  },
  { name: 'desk' },
);

/** Ends with what it is linked to, unless it traps exits: then it is told. */
const apprentice = (id: string, trapExit: boolean) =>
  light(
    id,
    {
      init: () => null,
      receive: (state, message: Message) => {
        if (message.type === 'EXIT') console.log(`${id} hears that ${message.path} ended`);
        return state;
      },
    },
    { trapExit, restart: 'temporary' },
  );

const system = createSystem();
await system.start(
  supervisor('agency', {
    children: [
      desk,
      translator('anna', { bread: 'Brot', tea: 'Tee' }),
      translator('ben', { bread: 'pain', tea: 'thé' }),
      apprentice('carl', false),
      apprentice('dora', true),
    ],
  }),
);

const service = system.named<Translator>('desk');
for (const word of ['bread', 'bread', 'tea']) {
  console.log(`${word}: ${await service.ask({ type: 'TRANSLATE', word })}`);
}

const anna = system.lookup<Translator>('agency/anna');
for (const id of ['carl', 'dora']) {
  const ref = system.lookup(`agency/${id}`);
  ref?.monitor(({ path, reason }) => console.log(`${path} is down: ${reason.kind}`));
  if (ref !== undefined) anna?.link(ref);
}
anna?.send({ type: 'TRANSLATE', word: '' });
await sleep(system.host, 20);

const translators = system.group<Translator>('translators');
console.log(
  'still translating:',
  translators
    .members()
    .map((member) => member.path)
    .join(', '),
);
console.log(`tea: ${await service.ask({ type: 'TRANSLATE', word: 'tea' })}`);

// A monitor of somebody who is gone is told at once.
anna?.monitor(({ reason }) => console.log(`anna, once more: ${reason.kind}`));
await system.stop('done');
