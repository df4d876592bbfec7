import type { ProjectSettings } from '../../protocol/project.ts';
import type { Host } from '../../runtime/host.ts';

/** How long a request took, stage by stage, in milliseconds and PostgREST's words. */
class ServerTiming {
  readonly #host: Host;
  #since: number;
  #text = '';

  constructor(host: Host, started: number) {
    this.#host = host;
    this.#since = started;
  }

  /** The stage that ends here. */
  passed(stage: string): void {
    const now = this.#host.now();
    this.#text += `${this.#text === '' ? '' : ', '}${stage};dur=${(now - this.#since).toFixed(1)}`;
    this.#since = now;
  }

  /** All stages with the last one, as a header. */
  until(stage: string): string {
    this.passed(stage);
    return this.#text;
  }
}

/** Null, as for almost every project: nobody is told. */
export const serverTiming = (settings: ProjectSettings, host: Host, started: number): ServerTiming | null =>
  settings.serverTiming === true ? new ServerTiming(host, started) : null;
