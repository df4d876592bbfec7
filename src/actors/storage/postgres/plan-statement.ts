import { LIMITS } from '../../../limits.ts';
import type { Explain } from '../engine.ts';
import { type Bound, type CommandComplete, type DataRow, type Wire, WireStatement } from './wire.ts';

/** A statement's plan, which comes as lines of text or as one document. */
export class PlanStatement extends WireStatement {
  /** Told once when the plan outgrew its bound. */
  onOverflow: () => void = () => {};
  overflow = false;
  plan = '';

  constructor(
    sql: string,
    { format, options }: Explain,
    values: readonly (string | null)[],
    before: Bound | null,
  ) {
    const asked = ['FORMAT', format.toUpperCase(), ...options.map((option) => `, ${option.toUpperCase()}`)];
    super(`EXPLAIN (${asked.join(' ')}) ${sql}`, values, '', before);
  }

  override submit(wire: Wire): null {
    return this.extended(wire, false);
  }

  override handleDataRow(message: DataRow): void {
    if (this.skips(false) || this.overflow) return;
    const line = message.fields[0] ?? '';
    if (this.plan.length + line.length > LIMITS.resultBytes) {
      this.overflow = true;
      this.plan = '';
      this.onOverflow();
      return;
    }
    this.plan = this.plan === '' ? line : `${this.plan}\n${line}`;
  }

  override handleCommandComplete(_message: CommandComplete): void {
    this.skips(true);
  }
}
