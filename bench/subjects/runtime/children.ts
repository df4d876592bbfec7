/** Children of a dynamic supervisor: how fast they start and stop, and what an idle one takes. `NAME KIND`. */
import { setup } from 'xstate';
import { type ChildSpec, light, machine } from '../../../src/index.ts';
import { expectEqual, heldBytes, measure, percentile } from '../../program.ts';
import { plantDynamic } from './tree.ts';

const MANY = 100_000;
const FEW = 1_000;
const FEW_PASSES = 16;

type Make = (id: string) => ChildSpec;

const idle = {
  init: () => 0,
  receive: (count: number) => count + 1,
};
const makeLight: Make = (id) => light(id, idle);

const lamp = setup({ types: { events: {} as { readonly type: 'FLIP' } } }).createMachine({
  id: 'lamp',
  initial: 'off',
  states: { off: { on: { FLIP: 'on' } }, on: { on: { FLIP: 'off' } } },
});
const makeMachine: Make = (id) => machine(id, lamp);

interface Pass {
  /** Milliseconds. */
  readonly start: number;
  readonly stop: number;
}

async function pass(make: Make, count: number): Promise<Pass> {
  const system = await plantDynamic();
  const began = performance.now();
  for (let n = 0; n < count; n += 1) await system.startChild('bench', make(`child-${n}`));
  const started = performance.now();
  expectEqual('children', system.supervisor('bench').count().active, count);
  const counted = performance.now();
  await system.stop('measured');
  return { start: started - began, stop: performance.now() - counted };
}

/** Children per second, ready. */
const spawn = (make: Make) => async (): Promise<number> => {
  await pass(make, MANY / 5);
  const { start } = await pass(make, MANY);
  return MANY / (start / 1_000);
};

/** What one of many children costs to start and stop, over what one of few does. */
const linear = (make: Make) => async (): Promise<number> => {
  const few: number[] = [];
  for (let n = 0; n < FEW_PASSES; n += 1) {
    const { start, stop } = await pass(make, FEW);
    if (n >= FEW_PASSES / 2) few.push((start + stop) / FEW);
  }
  const { start, stop } = await pass(make, MANY);
  return (start + stop) / MANY / percentile(few, 0.5);
};

/** Bytes. */
const memory = (make: Make) => async (): Promise<number> => {
  const system = await plantDynamic();
  await system.startChild('bench', make('first'));
  await system.stopChild('bench', 'first');
  const before = heldBytes();
  for (let n = 0; n < MANY; n += 1) await system.startChild('bench', make(`child-${n}`));
  const after = heldBytes();
  expectEqual('children', system.supervisor('bench').count().active, MANY);
  return (after - before) / MANY;
};

await measure({
  'light.spawn': spawn(makeLight),
  'machine.spawn': spawn(makeMachine),
  'light.linear': linear(makeLight),
  'machine.linear': linear(makeMachine),
  'light.memory': memory(makeLight),
  'machine.memory': memory(makeMachine),
});
