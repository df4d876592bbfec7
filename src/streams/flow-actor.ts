import { describeError, MagError } from '../errors.ts';
import type { Flow, FlowSubscription } from './flow.ts';

type SendOutcome = 'sent' | 'rejected' | 'dead';

/** The part of an actor's reference that a flow needs; `offer` waits for room in its mailbox. */
export interface FlowTarget<Message> {
  offer(message: Message): Promise<SendOutcome>;
}

export interface ToActorOptions {
  /** What becomes of an item the mailbox rejects: the end of the flow with MAG_FLOW_REFUSED, or a count. */
  readonly rejected?: 'error' | 'drop';
  /** Aborted, it cancels the flow and rejects with its reason. */
  readonly signal?: AbortSignal;
}

export interface Delivered {
  readonly sent: number;
  readonly dropped: number;
}

/**
 * Offers a flow's items to an actor, one after the other: the next one is asked for when the mailbox has taken the one
 * before it, so a slow actor slows the source. Resolves at the flow's end with what was delivered; rejects with the
 * flow's error, or MAG_FLOW_REFUSED where the actor is dead or rejects, and cancels the flow then.
 */
export function toActor<Message>(
  flow: Flow<Message>,
  target: FlowTarget<Message>,
  { rejected = 'error', signal }: ToActorOptions = {},
): Promise<Delivered> {
  return new Promise((resolve, reject) => {
    let sent = 0;
    let dropped = 0;
    let isOffering = false;
    let isLast = false;
    const finish = (): void => {
      signal?.removeEventListener('abort', onAbort);
      resolve({ sent, dropped });
    };
    const fail = (error: unknown): void => {
      signal?.removeEventListener('abort', onAbort);
      subscription.cancel();
      reject(error);
    };
    const onAbort = (): void => fail(signal?.reason);
    const settle = (result: SendOutcome): void => {
      isOffering = false;
      if (result === 'sent') sent += 1;
      else if (result === 'rejected' && rejected === 'drop') dropped += 1;
      else {
        fail(new MagError('MAG_FLOW_REFUSED', { result }));
        return;
      }
      if (isLast) finish();
      else subscription.request(1);
    };
    const refuse = (error: unknown): void =>
      fail(new MagError('MAG_FLOW_REFUSED', { result: describeError(error) }, { cause: error }));
    const subscription: FlowSubscription = flow.subscribe({
      next: (message) => {
        isOffering = true;
        // A target that throws at once is no different from one that rejects.
        new Promise<SendOutcome>((taken) => taken(target.offer(message))).then(settle, refuse);
      },
      // It may fail before `subscribe` has returned: there is nothing to cancel in any case.
      error: (error) => {
        signal?.removeEventListener('abort', onAbort);
        reject(error);
      },
      complete: () => {
        isLast = true;
        if (!isOffering) finish();
      },
    });
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted === true) onAbort();
    else subscription.request(1);
  });
}
