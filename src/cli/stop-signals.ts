/** Signals this close together are one Ctrl-C: npm passes on the one that the terminal already gave us. */
const SAME_PRESS_MS = 500;

interface StopOptions {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly interactive: boolean;
  readonly stop: (signal: string) => void;
  readonly force: () => void;
}

/**
 * What a SIGTERM or SIGINT means: the first one stops, a repeated SIGTERM changes nothing, and only a second Ctrl-C
 * on a terminal forces.
 */
export function stopSignals({ now, interactive, stop, force }: StopOptions): (signal: string) => void {
  let stopping = false;
  let pressedAt: number | null = null;
  return (signal) => {
    if (signal === 'SIGINT') {
      if (interactive && pressedAt !== null && now() - pressedAt >= SAME_PRESS_MS) force();
      pressedAt ??= now();
    }
    if (!stopping) stop(signal);
    stopping = true;
  };
}
