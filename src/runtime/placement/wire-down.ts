import type { Down } from '../system.ts';
import type { WireDown } from './frame.ts';
import { fromWire, toWire } from './wire-error.ts';

/** The end of an incarnation as it crosses: an error would lose its class, its code and its hint. */
export function toWireDown({ address, path, reason }: Down): WireDown {
  return {
    address,
    path,
    reason: reason.kind === 'error' ? { kind: 'error', error: toWire(reason.error) } : reason,
  };
}

export function fromWireDown({ address, path, reason }: WireDown): Down {
  return {
    address,
    path,
    reason: reason.kind === 'error' ? { kind: 'error', error: fromWire(reason.error) } : reason,
  };
}
