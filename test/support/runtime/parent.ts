import { createSystem, nodeHost, remote, supervisor } from '../../../src/index.ts';

/** A process with a child: prints the child's pid and waits to be killed. */
const module = new URL('./counter-module.ts', import.meta.url);
const system = createSystem({ node: 'main', host: nodeHost(), pid: process.pid });
await system.start(
  supervisor('board', { children: [remote('proc', { where: 'process', module, input: {} })] }),
);
console.log(await system.slot('board/proc/talker').ask<number>({ type: 'PID' }));
