import { describe, expect, it } from 'vitest';
import { stopSignals } from '../../src/cli/stop-signals.ts';

/** Sends signals, given as `SIGNAL@milliseconds`, and tells what was done. */
function outcome(interactive: boolean, ...signals: readonly string[]): readonly string[] {
  const done: string[] = [];
  let now = 0;
  const onSignal = stopSignals({
    now: () => now,
    interactive,
    stop: (signal) => done.push(`stop ${signal}`),
    force: () => done.push('force'),
  });
  for (const signal of signals) {
    const [name = '', at] = signal.split('@');
    now = Number(at);
    onSignal(name);
  }
  return done;
}

describe('a signal', () => {
  it('stops the board', () => {
    expect(outcome(true, 'SIGTERM@0')).toEqual(['stop SIGTERM']);
    expect(outcome(false, 'SIGINT@0')).toEqual(['stop SIGINT']);
  });

  it('changes nothing when a SIGTERM is repeated', () => {
    expect(outcome(true, 'SIGTERM@0', 'SIGTERM@2000', 'SIGTERM@4000')).toEqual(['stop SIGTERM']);
  });

  it('forces when Ctrl-C is pressed a second time on a terminal', () => {
    expect(outcome(true, 'SIGINT@0', 'SIGINT@2000')).toEqual(['stop SIGINT', 'force']);
  });

  it('does not force where nobody sits at a terminal', () => {
    expect(outcome(false, 'SIGINT@0', 'SIGINT@2000')).toEqual(['stop SIGINT']);
  });

  it('is one press when npm passes on what the terminal already sent', () => {
    expect(outcome(true, 'SIGINT@0', 'SIGINT@3')).toEqual(['stop SIGINT']);
  });

  it('does not force by the first Ctrl-C after a SIGTERM', () => {
    expect(outcome(true, 'SIGTERM@0', 'SIGINT@2000')).toEqual(['stop SIGTERM']);
    expect(outcome(true, 'SIGTERM@0', 'SIGINT@2000', 'SIGINT@4000')).toEqual(['stop SIGTERM', 'force']);
  });
});
