import { createSystem, light, type Question, type Ref, sleep, supervisor } from '../src/index.ts';

/**
 * A chat room and its members. The room is started first and the members depend on it (rest_for_one): when the room
 * crashes they are started again after it, and each joins anew. A member that dies alone is announced by the room,
 * which monitors it.
 */
type Room =
  | { type: 'JOIN'; name: string; member: Ref<Member> }
  | { type: 'LEFT'; name: string; why: string }
  | { type: 'SAY'; from: string; text: string }
  | Question<{ type: 'WHO' }, readonly string[]>;

type Member = { type: 'TYPED'; text: string } | { type: 'HEARD'; from: string; text: string };

const room = light('room', {
  init: () => new Map<string, Ref<Member>>(),
  receive: (members, message: Room, { self }) => {
    const tell = (from: string, text: string): void => {
      for (const member of members.values()) member.send({ type: 'HEARD', from, text });
    };
    switch (message.type) {
      case 'JOIN': {
        const { name, member } = message;
        member.monitor(({ reason }) => self.send({ type: 'LEFT', name, why: reason.kind }));
        return new Map(members).set(name, member);
      }
      case 'LEFT':
        members.delete(message.name);
        tell('room', `${message.name} left (${message.why})`);
        return members;
      case 'SAY':
        if (message.text === '') throw new Error('nobody says nothing');
        tell(message.from, message.text);
        return members;
      case 'WHO':
        message.reply?.([...members.keys()]);
        return members;
    }
  },
});

const member = (name: string) =>
  light(
    name,
    {
      init: (_, { system, self }) => {
        system.slot<Room>('chat/room').send({ type: 'JOIN', name, member: self });
        return null;
      },
      receive: (state, message: Member, { system }) => {
        if (message.type === 'HEARD') console.log(`  ${name} hears ${message.from}: ${message.text}`);
        else if (message.text === '/quit') throw new Error('the connection broke');
        else system.slot<Room>('chat/room').send({ type: 'SAY', from: name, text: message.text });
        return state;
      },
    },
    { restart: 'transient' },
  );

const system = createSystem();
await system.start(
  supervisor('chat', {
    strategy: 'rest_for_one',
    children: [
      room,
      supervisor('members', { strategy: 'dynamic', children: ['ada', 'bob', 'eve'].map(member) }),
    ],
  }),
);

const chat = system.slot<Room>('chat/room');
const types = async (name: string, text: string): Promise<void> => {
  console.log(`${name} types "${text}"`);
  system.slot<Member>(`chat/members/${name}`).send({ type: 'TYPED', text });
  await sleep(system.host, 20); // until all have heard
};

await types('ada', 'hello');
await types('eve', '/quit');
console.log(`her supervisor brought her back: ${await chat.ask({ type: 'WHO' })}`);
await types('bob', '');
console.log(`the room crashed, and everybody joined anew: ${await chat.ask({ type: 'WHO' })}`);
await types('bob', 'what was that?');
await system.stop('closing time');
