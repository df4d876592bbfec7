import type { ActorNode } from '../../src/protocol/actor-node.ts';
import { type NodeSketch, sketchTree } from './scripted-system.ts';

const on = (thread: string, process?: number) => ({
  placement: { thread, process: process ?? 4_711, node: 'local' },
});
const box = (depth: number, capacity = 1_024) => ({ mailbox: { depth, capacity, dropped: 0 } });

const edge = (name: string): NodeSketch => [
  name,
  'worker',
  { ...on(name), restarts: name === 'edge-2' ? 1 : 0, state: 'supervising' },
  [
    ['uplink', 'actor', { ...on(name), state: 'linked', ...box(2) }],
    ['gate', 'component', { ...on(name), ...box(3), handled: 18_211 }],
    ['realtime', 'component', { ...on(name), ...box(41), handled: 90_412 }],
    ['sessions', 'component', on(name)],
  ],
];

/** A tree like a board's own, for a page without a board behind it. */
export function boardLikeTree(since: string): ActorNode {
  const sketch: NodeSketch = [
    'board',
    'supervisor',
    {},
    [
      ['config', 'component'],
      ['keys', 'component', { handled: 41 }],
      ['audit', 'component', { handled: 212, ...box(1) }],
      ['catalogue', 'component', { handled: 96, ...box(4) }],
      ['admin', 'component', { handled: 310 }],
      [
        'storage',
        'supervisor',
        {},
        [
          ['sqlite-writer', 'component', { ...box(870), handled: 40_120 }],
          [
            'statement-1',
            'process',
            { ...on('main', 4_790), restarts: 2, lastError: 'The process statement-1 exited with SIGKILL' },
          ],
          ['statement-2', 'process', on('main', 4_802)],
          ['postgres', 'process', { ...on('main', 4_733), state: 'accepting', ...box(0, 64) }],
        ],
      ],
      [
        'feed',
        'supervisor',
        {},
        [
          ['demo', 'component', { state: 'following', handled: 1_204 }],
          [
            'shop',
            'component',
            {
              state: 'degraded',
              lastError: 'Changes of shop cannot be followed: slot lost ← connection refused',
            },
          ],
        ],
      ],
      ['edges', 'supervisor', {}, [edge('edge-1'), edge('edge-2')]],
      ['spare', 'worker', { ...on('edge-spare'), status: 'starting', state: 'loading' }],
      ['console', 'component', { handled: 12 }],
      ['bench-target', 'component', { status: 'paused', state: 'paused' }],
      [
        'mqtt',
        'component',
        { status: 'failed', state: 'failed', lastError: 'Port 1883 on 127.0.0.1 is in use', ...box(0, 0) },
      ],
      ['gpu', 'component', { status: 'stopped', state: 'stopped', ...box(0, 0) }],
    ],
  ];
  const dated = (node: ActorNode): ActorNode => ({ ...node, since, children: node.children.map(dated) });
  return dated(sketchTree(sketch));
}
