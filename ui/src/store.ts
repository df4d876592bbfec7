import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { ActorNode, LifecycleEvent, ScopeFrame } from '../../src/protocol/actor-node.ts';
import type { BoardStatus } from '../../src/protocol/board-status.ts';
import type { ScopeNode } from '../../src/protocol/scope-tree.ts';
import {
  applyFrame,
  disconnected,
  emptyModel,
  sameRows,
  type TreeModel,
  type TreeRow,
  totalsOf,
  visibleRows,
} from './tree-model.ts';

export type Status = ActorNode['status'];
export type Link = 'connecting' | 'live' | 'reconnecting';

export interface LogEntry {
  readonly id: number;
  readonly at: string;
  readonly event: LifecycleEvent;
}

/** What a row shows, but for its mailbox, which moves most. A change of anything else does not touch the row. */
export interface Face {
  readonly name: string;
  readonly kind: ActorNode['kind'];
  readonly status: Status;
  readonly state: string;
  readonly restarts: number;
  readonly since: string;
}

/** Older events scroll out: the audit trail keeps them. */
const LOG_ENTRIES = 200;

const model = signal<TreeModel>(emptyModel);
export const link = signal<Link>('connecting');
export const board = signal<BoardStatus | null>(null);
export const filter = signal('');
export const collapsed = signal<ReadonlySet<string>>(new Set());
export const selected = signal<string | null>(null);
export const focused = signal<string | null>(null);
export const log = signal<readonly LogEntry[]>([]);
/** Milliseconds that the board's clock is ahead of ours, from the latest frame. */
let skew = 0;
/** The board's clock, moved once a second. */
export const now = signal(Date.now());
export const tickClock = (): void => {
  now.value = Date.now() + skew;
};

export const loaded = computed(() => model.value.tree.root !== '');
export const selectedNode: ReadonlySignal<ScopeNode | null> = computed(
  () => model.value.tree.nodes.get(selected.value ?? '') ?? null,
);
export const totals = computed(() => totalsOf(model.value.tree));

let lastRows: readonly TreeRow[] = [];
export const rows: ReadonlySignal<readonly TreeRow[]> = computed(() => {
  const next = visibleRows(model.value.tree, collapsed.value, filter.value);
  if (!sameRows(lastRows, next)) lastRows = next;
  return lastRows;
});

/** The row that Tab reaches. */
export const tabStop = computed(() => {
  const wanted = focused.value ?? selected.value;
  const found = rows.value.find((row) => row.path === wanted) ?? rows.value[0];
  return found?.path ?? null;
});

/** What is kept of an actor while it is in the tree. */
interface Shown {
  readonly face: Signal<Face | null>;
  readonly mailbox: Signal<ScopeNode['mailbox']>;
}

const EMPTY_MAILBOX = { depth: 0, capacity: 0, dropped: 0 };
const shownActors = new Map<string, Shown>();
/** The last two statuses of each actor, for the statechart's last transition. */
const trails = new Map<string, { readonly before: Status | null; readonly now: Status }>();
const flashers = new Map<string, (event: LifecycleEvent['type'] | null) => void>();

function shownOf(path: string): Shown {
  const known = shownActors.get(path);
  if (known !== undefined) return known;
  const made: Shown = { face: signal(null), mailbox: signal(EMPTY_MAILBOX) };
  shownActors.set(path, made);
  return made;
}

export const faceOf = (path: string): ReadonlySignal<Face | null> => shownOf(path).face;
export const mailboxOf = (path: string): ReadonlySignal<ScopeNode['mailbox']> => shownOf(path).mailbox;
export const earlierStatus = (path: string): Status | null => trails.get(path)?.before ?? null;

/** What an event says of the status: a quick restart passes between two looks at the tree. */
const PASSED: Partial<Record<LifecycleEvent['type'], Status>> = {
  started: 'starting',
  ready: 'running',
  failed: 'failed',
  backing_off: 'restarting',
  stopped: 'stopped',
};

function pass(path: string, status: Status | undefined): void {
  const trail = trails.get(path);
  if (status === undefined || trail?.now === status) return;
  trails.set(path, { before: trail?.now ?? null, now: status });
}

/** Registers how a row is made to flash; returns how to forget it. */
export function onFlash(path: string, flash: (event: LifecycleEvent['type'] | null) => void): () => void {
  flashers.set(path, flash);
  return () => {
    if (flashers.get(path) === flash) flashers.delete(path);
  };
}

const DOWN: ReadonlySet<Status> = new Set(['stopped', 'failed', 'restarting']);
/** Whether an incarnation is there whose uptime can be told. */
export const isUp = (status: Status): boolean => !DOWN.has(status);

const sameFace = (a: Face, b: Face): boolean =>
  a.name === b.name &&
  a.kind === b.kind &&
  a.status === b.status &&
  a.state === b.state &&
  a.restarts === b.restarts &&
  a.since === b.since;

function show(node: ScopeNode): void {
  const { face, mailbox } = shownOf(node.path);
  const before = face.value;
  pass(node.path, node.status);
  mailbox.value = node.mailbox;
  const { name, kind, status, state, restarts, since } = node;
  const next: Face = { name, kind, status, state, restarts, since };
  if (before !== null && sameFace(before, next)) return;
  face.value = next;
  if (
    before !== null &&
    (before.state !== state || before.status !== status || before.restarts !== restarts)
  ) {
    flashers.get(node.path)?.(null);
  }
}

function forget(path: string): void {
  shownOf(path).face.value = null;
  shownActors.delete(path);
  trails.delete(path);
}

let entries = 0;

/** Takes one frame in. False when one is missing and the connection must start over. */
export function receive(frame: ScopeFrame): boolean {
  const applied = applyFrame(model.value, frame);
  if (applied.gap) return false;
  batch(() => {
    if (Number.isFinite(Date.parse(frame.at))) skew = Date.parse(frame.at) - Date.now();
    model.value = applied.model;
    for (const path of applied.changed) {
      const node = applied.model.tree.nodes.get(path);
      if (node !== undefined) show(node);
    }
    for (const path of applied.gone) forget(path);
    if (applied.event !== null) {
      entries += 1;
      log.value = [{ id: entries, at: frame.at, event: applied.event }, ...log.value].slice(0, LOG_ENTRIES);
      pass(applied.event.path, PASSED[applied.event.type]);
      flashers.get(applied.event.path)?.(applied.event.type);
    }
  });
  return true;
}

export function connectionLost(): void {
  batch(() => {
    model.value = disconnected(model.value);
    link.value = loaded.value ? 'reconnecting' : 'connecting';
  });
}

export const detailId = 'detail';

/** Selects an actor; where the details lie below the tree, brings them into view. */
export function select(path: string): void {
  batch(() => {
    focused.value = path;
    selected.value = path;
  });
  const detail = document.getElementById(detailId);
  if (detail !== null && detail.getBoundingClientRect().top > innerHeight * 0.75) {
    detail.scrollIntoView({ block: 'nearest' });
  }
}

export function toggle(path: string, open: boolean): void {
  const next = new Set(collapsed.value);
  if (open) next.delete(path);
  else next.add(path);
  collapsed.value = next;
}
