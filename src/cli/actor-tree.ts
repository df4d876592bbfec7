import type { ActorNode } from '../protocol/actor-node.ts';

const MARKS: Readonly<Record<ActorNode['status'], string>> = {
  starting: '◔',
  running: '●',
  restarting: '↻',
  paused: '‖',
  stopping: '◑',
  stopped: '○',
  failed: '✗',
};

function describe(node: ActorNode): string {
  const facts = [node.kind, node.state];
  if (node.restarts > 0) facts.push(`${node.restarts} restart${node.restarts === 1 ? '' : 's'}`);
  if (node.mailbox.depth > 0) facts.push(`mailbox ${node.mailbox.depth}/${node.mailbox.capacity}`);
  if (node.mailbox.dropped > 0) facts.push(`${node.mailbox.dropped} dropped`);
  if (node.status !== 'running' && node.lastError !== null) facts.push(node.lastError);
  return `${MARKS[node.status]} ${node.name}  ${facts.join(' · ')}`;
}

function branches(node: ActorNode, indent: string): readonly string[] {
  return node.children.flatMap((child, index) => {
    const last = index === node.children.length - 1;
    const own = `${indent}${last ? '└─' : '├─'} ${describe(child)}`;
    return [own, ...branches(child, `${indent}${last ? '   ' : '│  '}`)];
  });
}

/** The actors as a drawing: one line each, children below their supervisor. */
export const renderTree = (root: ActorNode): string =>
  `${[describe(root), ...branches(root, '')].join('\n')}\n`;
