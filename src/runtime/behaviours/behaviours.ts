import type { Core } from '../core.ts';
import type { Cell } from '../kernel/cell.ts';
import { RemoteActor } from '../placement/remote.ts';
import { SupervisorActor } from '../supervision/supervise.ts';
import type { Actor } from './actor.ts';
import { ComponentActor } from './component.ts';
import { LightActor } from './light.ts';
import { MachineActor } from './machine.ts';

/** The actor inside a cell, by its specification's behaviour. */
export function createBehaviour(core: Core, cell: Cell): Actor {
  const behaviour = cell.spec.behaviour;
  switch (behaviour.kind) {
    case 'supervisor':
      return new SupervisorActor(core, cell, behaviour);
    case 'component':
      return new ComponentActor(core, cell, behaviour);
    case 'machine':
      return new MachineActor(cell, behaviour.logic);
    case 'light':
      return new LightActor(cell, behaviour.logic);
    case 'remote':
      return new RemoteActor(core, cell, behaviour);
  }
}
