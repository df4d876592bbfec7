/**
 * What goes with a message beside what it says. Inside a thread it is ambient: who handles a message sees it, and what
 * is sent meanwhile carries it on. Between threads it crosses with the message; what is empty costs nothing.
 */
export interface Ambient {
  /** Address of the actor that sent it. */
  readonly from?: string;
  /** On the host's monotonic clock, milliseconds; between threads it crosses as the time that is left. */
  readonly deadline?: number;
  readonly tenant?: string;
  readonly principal?: string;
  /** W3C Trace Context. */
  readonly traceparent?: string;
  /** Priority: lower is more urgent. */
  readonly lane?: number;
}
