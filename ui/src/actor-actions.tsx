import { useEffect, useState } from 'preact/hooks';
import type { ActorCommand } from '../../src/protocol/actor-node.ts';
import type { ScopeNode } from '../../src/protocol/scope-tree.ts';
import { type ApiError, api, type Fault, type Order } from './api.ts';
import { Dialog } from './dialog.tsx';
import { asApiError, ErrorText } from './error-text.tsx';
import { checkSession } from './session.ts';

type Outcome =
  | { readonly kind: 'done'; readonly text: string }
  | { readonly kind: 'failed'; readonly error: ApiError };

const DONE: Record<ActorCommand, string> = {
  crash: 'Crashed on purpose.',
  restart: 'Restart ordered.',
  pause: 'Pause ordered.',
  resume: 'Resume ordered.',
  stop: 'Stop ordered.',
};

interface AskProps {
  readonly node: ScopeNode;
  readonly onClose: () => void;
  readonly onConfirm: (order: Order) => void;
}

const FAULTS: readonly (readonly [Fault, string])[] = [
  ['throw', 'An error'],
  ['exit', 'Its thread exits'],
  ['spin', 'It loops for ever'],
];

function FaultChoice({ value, onChange }: { value: Fault; onChange: (fault: Fault) => void }) {
  return (
    <fieldset class="choice">
      <legend>How</legend>
      {FAULTS.map(([fault, text]) => (
        <label key={fault}>
          <input type="radio" name="fault" checked={value === fault} onChange={() => onChange(fault)} />
          {text}
        </label>
      ))}
    </fieldset>
  );
}

function CrashDialog({ node, onClose, onConfirm }: AskProps) {
  const [reason, setReason] = useState('');
  const [fault, setFault] = useState<Fault>('throw');
  const order: Order = { reason: reason.trim(), ...(fault === 'throw' ? {} : { fault }) };
  return (
    <Dialog
      title={`Crash ${node.name}?`}
      confirm="Crash it"
      danger
      onClose={onClose}
      onConfirm={() => onConfirm(order)}
    >
      <p>It fails with this reason; its supervisor then decides what restarts. The audit trail keeps both.</p>
      <label>
        Reason
        <input
          name="reason"
          required
          maxLength={200}
          pattern=".*\S.*"
          autocomplete="off"
          placeholder="fire drill"
          value={reason}
          onInput={(event) => setReason(event.currentTarget.value)}
        />
      </label>
      {node.kind === 'worker' && <FaultChoice value={fault} onChange={setFault} />}
    </Dialog>
  );
}

function StopDialog({ node, onClose, onConfirm }: AskProps) {
  return (
    <Dialog
      title={`Stop ${node.name}?`}
      confirm="Stop it"
      danger
      onClose={onClose}
      onConfirm={() => onConfirm({ reason: 'stopped from the console' })}
    >
      <p>
        It finishes what is in flight and stays stopped until somebody restarts it. What needs it will fail
        meanwhile.
      </p>
    </Dialog>
  );
}

/** What can be done to an actor. Every order carries a reason and is audited by the board. */
export function ActorActions({ node }: { node: ScopeNode }) {
  const [asking, setAsking] = useState<'crash' | 'stop' | null>(null);
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  useEffect(() => setOutcome(null), [node.path]);

  const send = async (command: ActorCommand, order: Order): Promise<void> => {
    setAsking(null);
    setBusy(true);
    setOutcome(null);
    try {
      await api.command(node.path, command, order);
      setOutcome({ kind: 'done', text: DONE[command] });
    } catch (error) {
      const shown = asApiError(error);
      setOutcome({ kind: 'failed', error: shown });
      if (shown.status === 401) await checkSession();
    } finally {
      setBusy(false);
    }
  };

  const close = (): void => setAsking(null);
  const sends = (command: ActorCommand) => (order: Order) => void send(command, order);
  const paused = node.status === 'paused';
  return (
    <div class="actions">
      <fieldset class="buttons" aria-label={`Actions for ${node.name}`} aria-busy={busy}>
        <button type="button" class="danger" onClick={() => setAsking('crash')}>
          Crash…
        </button>
        <button type="button" onClick={() => void send('restart', { reason: 'restarted from the console' })}>
          Restart
        </button>
        <button
          type="button"
          onClick={() =>
            void send(paused ? 'resume' : 'pause', {
              reason: `${paused ? 'resumed' : 'paused'} from the console`,
            })
          }
        >
          {paused ? 'Resume' : 'Pause'}
        </button>
        <button type="button" onClick={() => setAsking('stop')}>
          Stop…
        </button>
      </fieldset>
      {outcome?.kind === 'done' && (
        <p class="done" role="status">
          {outcome.text}
        </p>
      )}
      {outcome?.kind === 'failed' && <ErrorText error={outcome.error} />}
      {asking === 'crash' && <CrashDialog node={node} onClose={close} onConfirm={sends('crash')} />}
      {asking === 'stop' && <StopDialog node={node} onClose={close} onConfirm={sends('stop')} />}
    </div>
  );
}
