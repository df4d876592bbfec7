import type { Change } from '../../protocol/change.ts';
import type { RowTypes } from '../../protocol/compare-value.ts';
import { matches } from '../../protocol/filter-match.ts';
import type { Grant } from '../../protocol/principal.ts';
import type { EngineKind } from '../../protocol/project.ts';
import type { Binding } from '../../protocol/realtime-config.ts';
import type { visible } from '../psu/access.ts';
import { rulesFor } from '../psu/grant-rules.ts';
import { changeData, changeFrame, type Showing } from './change-frame.ts';
import type { ChangeGroup } from './change-group.ts';

const NONE: readonly Buffer[] = [];

/**
 * How a change is shown to somebody who sees so much of it; null where not at all. An update that moves a row
 * into sight is an UPDATE without its old row; one that moves it out of sight is a DELETE, since all that may be
 * told is that the row is gone.
 */
export function showingOf(
  change: Change,
  seen: { readonly old: boolean; readonly new: boolean },
): Showing | null {
  switch (change.type) {
    case 'INSERT':
      return seen.new ? { type: 'INSERT', record: true, old: false } : null;
    case 'DELETE':
      return seen.old ? { type: 'DELETE', record: false, old: true } : null;
    case 'UPDATE':
      if (seen.new) return { type: 'UPDATE', record: true, old: seen.old };
      return seen.old ? { type: 'DELETE', record: false, old: true } : null;
    default:
      return null;
  }
}

/** Whether a binding asks for a change shown like that. A DELETE is held against the filter by its old row. */
export function asksFor(binding: Binding, change: Change, showing: Showing, types: RowTypes): boolean {
  if (binding.event !== '*' && binding.event !== showing.type) return false;
  if (binding.schema !== '*' && binding.schema !== change.schema) return false;
  if (binding.table !== '*' && binding.table !== change.table) return false;
  if (binding.filter === null) return true;
  const row = showing.type === 'DELETE' ? change.old : change.record;
  if (row === null) return false;
  return matches(binding.filter, row, types);
}

/** By whose rules the change's values compare. */
export function typesOf(engine: EngineKind, change: Change): RowTypes {
  return { engine, typeOf: (name) => change.columns.find((column) => column.name === name)?.type };
}

/** One change on its way to many groups: visibility per principal, data and frames are made once each. */
export class ChangeEvaluation {
  readonly #epoch: string;
  readonly #change: Change;
  readonly #grants: readonly Grant[];
  /** Told to the service role alone. */
  readonly #guarded: boolean;
  readonly #types: RowTypes;
  readonly #visible: typeof visible;
  readonly #showings = new Map<string, Showing | null>();
  readonly #data = new Map<string, string>();
  readonly #frames = new Map<string, Buffer>();

  /** `see` is psu's `visible`. */
  constructor(
    source: {
      readonly epoch: string;
      readonly engine: EngineKind;
      /** Tables under row level security. */
      readonly policed?: ReadonlySet<string>;
    },
    change: Change,
    grants: readonly Grant[],
    see: typeof visible,
  ) {
    this.#visible = see;
    this.#epoch = source.epoch;
    this.#change = change;
    this.#grants = grants;
    // Grants name tables of the public schema only; and what policies hide is not theirs to tell.
    this.#guarded = change.schema !== 'public' || source.policed?.has(change.table) === true;
    this.#types = typesOf(source.engine, change);
  }

  /** Frames for each channel of a group, most often one; several where its bindings select different columns. */
  framesFor(group: ChangeGroup): readonly Buffer[] {
    const showing = this.#showingFor(group);
    if (showing === null) return NONE;
    const asked = group.bindings.filter((binding) => asksFor(binding, this.#change, showing, this.#types));
    if (asked.length === 0) return NONE;
    const bySelect = new Map<string, Binding[]>();
    for (const binding of asked) {
      const key = binding.select === null ? '' : JSON.stringify(binding.select);
      const same = bySelect.get(key);
      if (same === undefined) bySelect.set(key, [binding]);
      else same.push(binding);
    }
    return [...bySelect].map(([select, bindings]) => this.#frame(group, showing, select, bindings));
  }

  #frame(group: ChangeGroup, showing: Showing, select: string, bindings: readonly Binding[]): Buffer {
    const ids = bindings.map((binding) => binding.id);
    const shown = `${showing.type} ${showing.record} ${showing.old} ${select}`;
    const key = `${group.frameKey}\n${ids.join(',')}\n${shown}`;
    const known = this.#frames.get(key);
    if (known !== undefined) return known;
    let data = this.#data.get(shown);
    if (data === undefined) {
      data = changeData(this.#change, showing, bindings[0]?.select ?? null);
      this.#data.set(shown, data);
    }
    const position = { epoch: this.#epoch, offset: this.#change.offset };
    const frame = changeFrame(group, ids, data, position);
    this.#frames.set(key, frame);
    return frame;
  }

  #showingFor(group: ChangeGroup): Showing | null {
    const known = this.#showings.get(group.principalKey);
    if (known !== undefined) return known;
    const showing = this.#decide(group);
    this.#showings.set(group.principalKey, showing);
    return showing;
  }

  #decide(group: ChangeGroup): Showing | null {
    if (this.#guarded && group.principal.role !== 'service_role') return null;
    return this.#change.type === 'TRUNCATE' ? this.#truncation(group) : this.#visibleTo(group);
  }

  #visibleTo(group: ChangeGroup): Showing | null {
    const { table, old, record } = this.#change;
    const seen = this.#visible(group.principal, this.#grants, table, old, record, this.#types);
    return showingOf(this.#change, seen);
  }

  /** An emptied table has no rows to decide by: it is told to those who may read the whole table. */
  #truncation(group: ChangeGroup): Showing | null {
    const { role } = group.principal;
    const { table } = this.#change;
    const wholeGrant = () =>
      rulesFor(this.#grants, role, table, 'select').some(({ filter }) => filter === null);
    const whole = role === 'service_role' || wholeGrant();
    return whole ? { type: 'TRUNCATE', record: false, old: false } : null;
  }
}
