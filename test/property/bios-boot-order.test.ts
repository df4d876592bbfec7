import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boot } from '../../src/actors/bios/boot.ts';
import { type BootComponent, planBoot } from '../../src/actors/bios/boot-plan.ts';
import { BOOT_STAGES } from '../../src/protocol/board-status.ts';
import { nodeHost } from '../../src/runtime/host-node.ts';
import { silentLog } from '../../src/runtime/log.ts';

const quiet = { stageStarted: () => {}, stageCompleted: () => {}, stageFailed: () => {} };
const options = { host: nodeHost(), log: silentLog, progress: quiet };

interface Drawn {
  readonly name: string;
  readonly stage: number;
  readonly requires: readonly string[];
}

/** Acyclic graphs: a component requires only ones drawn before it, of its stage or an earlier one; then shuffled. */
const graphs: fc.Arbitrary<readonly Drawn[]> = fc
  .array(fc.record({ stage: fc.nat(BOOT_STAGES.length - 1), picks: fc.array(fc.nat(), { maxLength: 4 }) }), {
    maxLength: 12,
  })
  .map((nodes) =>
    nodes.map(({ stage, picks }, index): Drawn => {
      const eligible = nodes.flatMap((node, at) => (at < index && node.stage <= stage ? [`c${at}`] : []));
      const requires =
        eligible.length === 0 ? [] : picks.map((pick) => eligible[pick % eligible.length] ?? '');
      return { name: `c${index}`, stage, requires: [...new Set(requires)] };
    }),
  )
  .chain((nodes) => fc.shuffledSubarray([...nodes], { minLength: nodes.length, maxLength: nodes.length }));

/** Components that write down what happens to them, each taking a drawn number of turns to start. */
function recorded(graph: readonly Drawn[], turns: readonly number[], events: string[]): BootComponent[] {
  return graph.map(({ name, stage, requires }, index) => ({
    name,
    stage: BOOT_STAGES[stage] ?? 'self_test',
    requires,
    optional: false,
    deadlineMs: 5_000,
    start: async () => {
      events.push(`begin ${name}`);
      for (let turn = turns[index % turns.length] ?? 0; turn > 0; turn -= 1) await Promise.resolve();
      events.push(`up ${name}`);
    },
    stop: async () => void events.push(`stop ${name}`),
  }));
}

const turnsOf = fc.array(fc.nat(5), { minLength: 1, maxLength: 12 });

describe('any graph of components without a cycle', () => {
  it('starts each component after all it requires and all of earlier stages, and stops in the reverse order', async () => {
    await fc.assert(
      fc.asyncProperty(graphs, turnsOf, async (graph, turns) => {
        const events: string[] = [];
        const booted = await boot(recorded(graph, turns, events), options);
        expect(booted.state.status()).toMatchObject({ status: 'ready', stage: 'ready' });
        for (const node of graph) {
          const began = events.indexOf(`begin ${node.name}`);
          const before = graph.filter(
            (other) => other.stage < node.stage || node.requires.includes(other.name),
          );
          for (const { name } of before) expect(events.indexOf(`up ${name}`)).toBeLessThan(began);
        }
        const begun = events.filter((event) => event.startsWith('begin '));
        events.length = 0;
        await booted.stop();
        expect(events).toEqual(begun.reverse().map((event) => event.replace('begin', 'stop')));
      }),
      { numRuns: 200 },
    );
  });

  it('is given up cleanly wherever one of them fails: what began is stopped, dependants never begin', async () => {
    await fc.assert(
      fc.asyncProperty(graphs, turnsOf, fc.nat(), async (graph, turns, pick) => {
        fc.pre(graph.length > 0);
        const broken = graph[pick % graph.length];
        const events: string[] = [];
        const components = recorded(graph, turns, events).map((component) =>
          component.name === broken?.name
            ? { ...component, start: async () => Promise.reject(new Error('no luck')) }
            : component,
        );
        const failure = boot(components, options);
        await expect(failure).rejects.toMatchObject({ code: 'MAG_BOOT_FAILED' });
        await expect(failure).rejects.toThrow(new RegExp(`component ${broken?.name}: no luck`));
        const began = events.flatMap((event) => (event.startsWith('begin ') ? [event.slice(6)] : []));
        for (const node of graph) {
          if (node.requires.includes(broken?.name ?? '')) expect(began).not.toContain(node.name);
        }
        for (const name of began) expect(events).toContain(`stop ${name}`);
      }),
    );
  });

  it('is refused before anything starts when one requirement closes a cycle', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.array(fc.nat(), { maxLength: 4 }), (size, extra) => {
        const ring = Array.from({ length: size }, (_, index): Drawn => {
          const next = `c${(index + 1) % size}`;
          return { name: `c${index}`, stage: 0, requires: [next, ...extra.map((pick) => `c${pick % size}`)] };
        });
        expect(() => planBoot(recorded(ring, [0], []))).toThrow(/form a cycle: .*→/);
      }),
    );
  });
});
