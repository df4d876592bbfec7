/** What a gateway counts. All only grow, except the gauges in stats(). */
export interface Counters {
  /** Frames queued to clients, replies included. */
  framesOut: number;
  bytesOut: number;
  /** socket.write calls. */
  writes: number;
  framesIn: number;
  framesInvalid: number;
  broadcasts: number;
  /** Broadcasts that a client on serializer 1.0.0 cannot be shown, since they are bytes. */
  broadcastsUndeliverable: number;
  changes: number;
  changesDelivered: number;
  /** Changes a consumer out of credit lost under latest or drop_oldest. */
  changesDropped: number;
  /** Times an access rule or filter raised for a group. */
  policyFailures: number;
  feedInterruptions: number;
  feedGaps: number;
  upgradesRefused: number;
  slowConsumers: number;
  silentSockets: number;
  /** Times a socket was not read because it sent too much. */
  throttled: number;
  resumesExpired: number;
}

export const newCounters = (): Counters => ({
  framesOut: 0,
  bytesOut: 0,
  writes: 0,
  framesIn: 0,
  framesInvalid: 0,
  broadcasts: 0,
  broadcastsUndeliverable: 0,
  changes: 0,
  changesDelivered: 0,
  changesDropped: 0,
  policyFailures: 0,
  feedInterruptions: 0,
  feedGaps: 0,
  upgradesRefused: 0,
  slowConsumers: 0,
  silentSockets: 0,
  throttled: 0,
  resumesExpired: 0,
});
