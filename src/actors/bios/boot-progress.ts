import type { BootStage, ComponentHealth } from '../../protocol/board-status.ts';
import type { Log } from '../../runtime/log.ts';

/** What is told of a boot while it runs. */
export interface BootProgress {
  stageStarted(stage: BootStage): void;
  stageCompleted(stage: BootStage, ms: number, components: readonly ComponentHealth[]): void;
  stageFailed(stage: BootStage, component: string, cause: string): void;
}

/** For a terminal: one line per stage when it is through, with its time and what it brought up. */
export function terminalProgress(write: (text: string) => void): BootProgress {
  const line = (mark: string, stage: BootStage, time: string, rest: string): void =>
    write(`  ${mark} ${stage.padEnd(14)}${time.padStart(8)}  ${rest}\n`);
  return {
    stageStarted: () => {},
    stageCompleted: (stage, ms, components) => {
      const broken = components.filter((component) => component.status !== 'healthy');
      const names = components.map(({ name, status }) =>
        status === 'healthy' ? name : `${name} (${status})`,
      );
      line(broken.length === 0 ? '✓' : '!', stage, `${ms.toFixed(0)} ms`, names.join(', '));
      for (const { name, detail } of broken) write(`      ${name}: ${detail ?? 'no reason given'}\n`);
    },
    stageFailed: (stage, component, cause) => line('✗', stage, '', `${component}: ${cause}`),
  };
}

/** For a log: one entry per stage. */
export function logProgress(log: Log): BootProgress {
  return {
    stageStarted: (stage) => log.debug({ stage }, 'boot stage started'),
    stageCompleted: (stage, ms, components) => {
      const degraded = components.filter((component) => component.status !== 'healthy');
      log.info(
        { stage, ms: Math.round(ms), components: components.length, degraded },
        'boot stage completed',
      );
    },
    stageFailed: (stage, component, cause) => log.error({ stage, component, cause }, 'boot stage failed'),
  };
}
