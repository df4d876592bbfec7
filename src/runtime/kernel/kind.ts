import { LIMITS } from '../../limits.ts';
import type { ActorNode } from '../../protocol/actor-node.ts';
import type { ChildSpec } from '../spec.ts';

const KINDS = {
  supervisor: 'supervisor',
  component: 'component',
  machine: 'actor',
  light: 'actor',
} as const;

export function kindOf(spec: ChildSpec): ActorNode['kind'] {
  return spec.behaviour.kind === 'remote' ? spec.behaviour.where : KINDS[spec.behaviour.kind];
}

/** How long a start may take, milliseconds. */
export function startLimit(spec: ChildSpec): number | null {
  if (spec.startTimeout !== undefined) return spec.startTimeout;
  // A supervisor is ready when its children are, and each of these has a limit of its own.
  return spec.behaviour.kind === 'supervisor' ? null : LIMITS.startTimeoutMs;
}
