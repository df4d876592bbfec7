import type { ComponentChildren } from 'preact';
import type { ScopeNode } from '../../src/protocol/scope-tree.ts';
import { ActorActions } from './actor-actions.tsx';
import { CopyButton } from './copy-button.tsx';
import { clockTime, count, duration } from './format.ts';
import { KindIcon, lookOf, StatusIcon } from './icons.tsx';
import { StateStrip } from './state-strip.tsx';
import { detailId, isUp, now, selected, selectedNode } from './store.ts';
import { stateText } from './tree-row.tsx';

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Both of a start that may be unknown. */
function Times({ node: { since, status } }: { node: ScopeNode }) {
  const start = Date.parse(since);
  const known = !Number.isNaN(start);
  return (
    <>
      <Fact name="Since">
        <time dateTime={since} title={since}>
          {known ? clockTime(since).slice(0, 8) : '–'}
        </time>
      </Fact>
      <Fact name="Uptime">{known && isUp(status) ? duration(now.value - start) : '–'}</Fact>
    </>
  );
}

function Facts({ node }: { node: ScopeNode }) {
  const { mailbox, placement } = node;
  return (
    <dl class="facts">
      <Times node={node} />
      <Fact name="Incarnation">{count(node.incarnation)}</Fact>
      <Fact name="Restarts">{count(node.restarts)}</Fact>
      <Fact name="Handled">{count(node.handled)}</Fact>
      <Fact name="Mailbox">
        {mailbox.capacity === 0 ? '–' : `${count(mailbox.depth)} of ${count(mailbox.capacity)}`}
      </Fact>
      <Fact name="Dropped">{count(mailbox.dropped)}</Fact>
      <Fact name="Thread">{placement.thread}</Fact>
      <Fact name="Process">
        {placement.process}
        {placement.node !== placement.thread && <span class="muted"> on {placement.node}</span>}
      </Fact>
    </dl>
  );
}

/** The board writes a cause chain as `message ← cause ← cause`. */
function LastError({ text }: { text: string }) {
  const [message, ...causes] = text.split(' ← ');
  return (
    <div class="last-error">
      <h3>Last error</h3>
      <p>{message}</p>
      {causes.length > 0 && (
        <ol aria-label="Caused by">
          {causes.map((cause, index) => (
            <li key={index}>{cause}</li>
          ))}
        </ol>
      )}
    </div>
  );
}

function Nothing() {
  return (
    <div class="empty">
      {selected.value === null ? 'Select an actor to see what it does.' : `${selected.value} is gone.`}
      <span class="keys muted">
        <kbd>↑</kbd> <kbd>↓</kbd> move · <kbd>←</kbd> <kbd>→</kbd> fold · <kbd>Enter</kbd> select ·{' '}
        <kbd>/</kbd> filter
      </span>
    </div>
  );
}

/** Everything the scope says about the selected actor, and what can be done to it. */
export function ActorDetail() {
  const node = selectedNode.value;
  return (
    <section id={detailId} class="panel detail-panel" aria-labelledby="detail-title">
      <header class="panel-head">
        <h2 id="detail-title" class={node === null ? '' : 'named'}>
          {node === null ? (
            'Actor'
          ) : (
            <>
              <KindIcon kind={node.kind} /> {node.name} <span class="kind muted">{node.kind}</span>
            </>
          )}
        </h2>
        {node !== null && (
          <span class={`badge is-${lookOf(node)}`}>
            <StatusIcon look={lookOf(node)} /> {stateText(node)}
          </span>
        )}
      </header>
      {node === null ? (
        <Nothing />
      ) : (
        <div class="detail">
          <div class="path">
            <code>{node.path}</code>
            <CopyButton text={node.path} what="the path" />
          </div>
          <StateStrip path={node.path} status={node.status} />
          <ActorActions node={node} />
          {node.lastError !== null && <LastError text={node.lastError} />}
          <Facts node={node} />
        </div>
      )}
    </section>
  );
}
