/** The public actor API. */
export { DatabaseError, describeError, type ErrorCode, MagError } from './errors.ts';
export type { BreakerState, OpenRange } from './machines/breaker.ts';
export type { ActorCommand, ActorNode, LifecycleEvent } from './protocol/actor-node.ts';
export { bus } from './runtime/bus.ts';
export { createSystem, type SystemOptions } from './runtime/create-system.ts';
export { type Host, sleep } from './runtime/host.ts';
export { nodeHost } from './runtime/host-node.ts';
export type { Ambient } from './runtime/kernel/ambient.ts';
export type { AskOptions } from './runtime/kernel/ask.ts';
export { Bytes } from './runtime/kernel/bytes.ts';
export { type Log, silentLog } from './runtime/log.ts';
export {
  type AdaptiveLimit,
  type AdaptiveLimitOptions,
  createAdaptiveLimit,
} from './runtime/resilience/adaptive-limit.ts';
export { type Breaker, type BreakerTicket, createBreaker } from './runtime/resilience/breaker.ts';
export type {
  BreakerChange,
  BreakerOptions,
  BreakerSnapshot,
  BreakerStats,
} from './runtime/resilience/breaker-options.ts';
export { type BreakerChildOptions, type BreakerMessage, breaker } from './runtime/resilience/breaker-spec.ts';
export {
  type Bulkhead,
  type BulkheadOptions,
  type BulkheadStats,
  createBulkhead,
  type WaitOptions,
} from './runtime/resilience/bulkhead.ts';
export {
  type Attempt,
  type CallOptions,
  type Policy,
  type PolicyOptions,
  policy,
} from './runtime/resilience/policy.ts';
export { createRetry, type Retry, type RetryOptions, type RetryStats } from './runtime/resilience/retry.ts';
export {
  createShedder,
  type Shedder,
  type ShedderOptions,
  type ShedderStats,
} from './runtime/resilience/shedder.ts';
export { withTimeout } from './runtime/resilience/timeout.ts';
export type {
  ActorContext,
  AnyMessage,
  AutoShutdown,
  Backoff,
  Behaviour,
  ChildOptions,
  ChildSpec,
  ComponentContext,
  ComponentService,
  DownMessage,
  ExitMessage,
  Intensity,
  LightLogic,
  MailboxOptions,
  Message,
  Overflow,
  Question,
  ReplyOf,
  RestartType,
  Shutdown,
  StateOptions,
  Strategy,
} from './runtime/spec.ts';
export { IGNORE, type Ignore } from './runtime/spec.ts';
export {
  component,
  light,
  machine,
  type RemoteOptions,
  remote,
  type SupervisorOptions,
  supervisor,
} from './runtime/specs.ts';
export type {
  ChildCount,
  ChildInfo,
  FullChildSpec,
  SupervisorHandle,
} from './runtime/supervision/supervisor-handle.ts';
export type {
  ActorSystem,
  Addressee,
  AnyRef,
  Down,
  ExitReason,
  Group,
  Ref,
  SendResult,
  Slot,
} from './runtime/system.ts';
export type {
  Bus,
  BusEvent,
  BusHost,
  ConsumerCounters,
  ConsumerOptions,
  DeadLetter,
  Published,
  PublishOptions,
  StartFrom,
  TopicCounters,
  TopicEvent,
  TopicName,
  TopicOptions,
  TopicSet,
} from './streams/bus/bus.ts';
export type { Delivery as BusDelivery, DeliveryHandler, NakOptions } from './streams/bus/delivery.ts';
export { type BusOptions, type BusPlace, openBus } from './streams/bus/open-bus.ts';
export {
  createFlow,
  type Flow,
  type FlowEmitter,
  type FlowObserver,
  type FlowOperator,
  type FlowProducer,
  type FlowSubscription,
  type FlowTimers,
  type SubscribeOptions,
} from './streams/flow.ts';
export { type Delivered, type FlowTarget, type ToActorOptions, toActor } from './streams/flow-actor.ts';
export { type BatchOptions, batch } from './streams/flow-batch.ts';
export {
  type FlowInput,
  fromAsyncIterable,
  fromIterable,
  fromPromise,
  toFlow,
} from './streams/flow-iterables.ts';
export { concatMap, type MergeOptions, mergeMap } from './streams/flow-merge.ts';
export {
  fromReadable,
  type PipeOptions,
  pipeTo,
  type ToReadableOptions,
  toReadable,
} from './streams/flow-node.ts';
export { filter, map, scan, take, takeUntil, tap } from './streams/flow-operators.ts';
export { catchError, retry } from './streams/flow-resume.ts';
export { type Delivery, fromObservable, toObservable } from './streams/flow-rx.ts';
export { type ShareOptions, share } from './streams/flow-share.ts';
export {
  buffer,
  fromArray,
  fromPush,
  LATEST,
  type Overflowing,
  type OverflowPolicy,
  type PushFlow,
} from './streams/flow-sources.ts';
export { window } from './streams/flow-window.ts';
export type { FlowLink, Grant, LinkEnd, Parcel, SendOptions } from './streams/link.ts';
export { portLink, receiveFlow, receiveRecords, sendFlow } from './streams/link-port.ts';
export type { ReceiveOptions } from './streams/link-receiver.ts';
export type { RecordBatch } from './streams/link-records.ts';
export { type LinkSocket, type WebSocketLinkOptions, webSocketLink } from './streams/link-websocket.ts';
export type { LogFile, LogFiles } from './streams/log/files.ts';
export type {
  Log as DurableLog,
  LogCounters,
  LogHost,
  LogOptions,
  LogRecord,
  LogRetention,
} from './streams/log/log.ts';
export { type FileLogOptions, openFileLog } from './streams/log/log-file.ts';
export { openMemoryLog } from './streams/log/log-memory.ts';
export { openSqliteLog, type SqliteLogOptions } from './streams/log/log-sqlite.ts';
