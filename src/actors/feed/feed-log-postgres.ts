import { existsSync } from 'node:fs';
import type { Client } from 'pg';
import { describeError, MagError } from '../../errors.ts';
import { LIMITS } from '../../limits.ts';
import type { Change, FeedPosition } from '../../protocol/change.ts';
import type { Host, Timer } from '../../runtime/host.ts';
import type { Log } from '../../runtime/log.ts';
import { driverTls, tlsRefused } from '../storage/postgres/driver-tls.ts';
import type { FeedLog } from './feed-log.ts';
import { Appender } from './postgres/appender.ts';
import { ChangeDecoder } from './postgres/decoder.ts';
import { FeedFile, isDamaged, removeFeedFile } from './postgres/feed-file.ts';
import { decodePgOutput, type Lsn } from './postgres/pgoutput.ts';
import { ReplicationStream } from './postgres/replication-stream.ts';
import {
  type AdminConnection,
  builtinTypes,
  createSlot,
  dropSlot,
  endReader,
  feedSlotName,
  preparePublication,
  readSlot,
} from './postgres/source.ts';

export interface PostgresFeedLogOptions {
  readonly host: Host;
  readonly log: Log;
  readonly ref: string;
  /** Where the durable log is kept; made where it is missing. */
  readonly file: string;
  /** Where the project's database is now; asked again for every connection. */
  readonly connect: () => Promise<AdminConnection>;
  /** Changes held at least; default LIMITS.feedRows. */
  readonly rows?: number;
}

const CONNECT_MS = 5_000;

interface OpenAdmin {
  readonly client: Client;
  /** How it was reached in the end. */
  readonly admin: AdminConnection;
}

async function openAdmin(admin: AdminConnection, broke: (error: Error) => void): Promise<OpenAdmin> {
  const { engine: _engine, tls: _tls, ...target } = admin;
  // Loaded with the first PostgreSQL project: a board of SQLite ones never pays for it.
  const { default: pg } = await import('pg');
  const options = { connectionTimeoutMillis: CONNECT_MS, application_name: 'magmobo-feed' };
  const client = new pg.Client({ ...target, ...options, ...driverTls(admin) });
  client.on('error', broke);
  try {
    await client.connect();
    return { client, admin };
  } catch (error) {
    if (!tlsRefused(admin.tls, error)) throw error;
    const { tls: _refused, ...clear } = admin;
    return openAdmin(clear, broke);
  }
}

/** The feed of a PostgreSQL project: pgoutput read from a slot of its own into a durable file. */
export function createPostgresFeedLog(options: PostgresFeedLogOptions): FeedLog {
  return new PostgresFeedLog(options);
}

class PostgresFeedLog implements FeedLog {
  readonly #options: PostgresFeedLogOptions;
  readonly #host: Host;
  #file: FeedFile | null = null;
  #appender: Appender | null = null;
  #stream: ReplicationStream | null = null;
  #flushing = false;
  #confirmTimer: Timer | null = null;
  #retryTimer: Timer | null = null;
  #pokeTimer: Timer | null = null;
  #nudgeTimer: Timer | null = null;
  /** Messages received, to see whether any came since the last nudge. */
  #heard = 0;
  #heardAtNudge = 0;
  #backoff: number = LIMITS.backoffBaseMs;
  /** Read to here, also where that brought no change. */
  #reached: Lsn = 0n;
  #confirmed: Lsn = 0n;
  #closed = false;
  #appended: () => void = () => {};
  #failed: (error: Error) => void = () => {};

  constructor(options: PostgresFeedLogOptions) {
    this.#options = options;
    this.#host = options.host;
  }

  /** Rejects where the server cannot be reached or refuses; from then on a broken stream is taken up again by itself. */
  async open(): Promise<FeedPosition> {
    try {
      await this.#connect();
    } catch (error) {
      await this.close();
      throw this.#unavailable(error);
    }
    return this.head();
  }

  head(): FeedPosition {
    return { epoch: this.#file?.epoch ?? '', offset: this.#file?.head ?? 0 };
  }

  async read(after: FeedPosition, limit: number): Promise<readonly Change[]> {
    const file = this.#file;
    if (file === null || this.#closed) throw this.#unavailable(new Error('its log is closed'));
    if (after.epoch !== file.epoch || after.offset < file.floor || after.offset > file.head) {
      throw new MagError('MAG_RESUME_EXPIRED', { offset: after.offset });
    }
    return file.read(after.offset, limit);
  }

  onAppend(listener: () => void): void {
    this.#appended = listener;
  }

  onFailure(listener: (error: Error) => void): void {
    this.#failed = listener;
  }

  /** The server sends what is new by itself, unless its sender slept through it. */
  nudge(): void {
    this.#heardAtNudge = this.#heard;
    if (this.#nudgeTimer !== null || this.#closed) return;
    this.#nudgeTimer = this.#host.setTimer(LIMITS.feedNudgeMs, () => {
      this.#nudgeTimer = null;
      if (this.#heard === this.#heardAtNudge) this.#poke();
    });
  }

  /** The slot is read whether anybody follows or not, since what is not read pins the server's WAL; but then at leisure. */
  attend(followed: boolean): void {
    if (this.#pokeTimer !== null) this.#host.clearTimer(this.#pokeTimer);
    this.#pokeTimer = null;
    if (!followed || this.#closed) return;
    this.#pokeTimer = this.#host.setTimer(LIMITS.feedPokeMs, () => {
      this.#pokeTimer = null;
      this.#poke();
      this.attend(true);
    });
  }

  /** Any message from us makes the sender look at the log again. */
  #poke(): void {
    this.#stream?.confirm(this.#confirmed);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of [this.#confirmTimer, this.#retryTimer, this.#pokeTimer, this.#nudgeTimer])
      if (timer !== null) this.#host.clearTimer(timer);
    this.#appender?.reset();
    this.#confirm();
    this.#stream?.close();
    this.#stream = null;
    this.#file?.close();
    this.#file = null;
  }

  /** Slot and stream, whatever state they were left in. */
  async #connect(): Promise<void> {
    const { ref, connect, log } = this.#options;
    const named = await connect();
    const { client, admin } = await openAdmin(named, (error) =>
      log.debug({ ref, error: error.message }, 'the admin connection broke'),
    );
    try {
      await preparePublication(client);
      const types = await builtinTypes(client);
      await this.#resumeSlot(client);
      if (this.#closed) throw new Error('the feed was closed meanwhile');
      await this.#startStream(admin, types);
    } finally {
      // The server closes it anyway; a lost goodbye costs nothing.
      await client.end().catch(() => {});
    }
  }

  /** Goes on from the slot where the file carries on what the slot remembers; else both begin anew. */
  async #resumeSlot(client: Client): Promise<void> {
    const { ref, file: path, log } = this.#options;
    const name = feedSlotName(ref);
    const slot = await readSlot(client, name);
    if (this.#closed) throw new Error('the feed was closed meanwhile');
    const known = this.#file !== null || existsSync(path);
    const file = this.#openFile();
    if (slot !== null && !slot.lost && known && slot.confirmed <= file.lsn) {
      await endReader(client, name);
      return;
    }
    await dropSlot(client, name);
    const start = await createSlot(client, name);
    file.beginEpoch(this.#newEpoch(), start);
    this.#reached = start;
    this.#confirmed = start;
    if (!known) return;
    log.warn({ ref }, 'the replication slot was lost; the feed begins a new epoch');
    this.#appended();
  }

  #openFile(): FeedFile {
    if (this.#file !== null) return this.#file;
    const file = this.#readFile();
    this.#file = file;
    this.#appender = new Appender(file);
    this.#reached = file.lsn;
    return file;
  }

  /** The file can be lost without harm to the project: what cannot be read gives way to a new one, and a new epoch. */
  #readFile(): FeedFile {
    const { file, ref, log } = this.#options;
    try {
      return new FeedFile(file, () => this.#newEpoch());
    } catch (error) {
      if (!isDamaged(error)) throw error;
      log.error({ ref, error: describeError(error) }, 'the feed file is damaged; the feed begins anew');
      removeFeedFile(file);
      return new FeedFile(file, () => this.#newEpoch());
    }
  }

  async #startStream(admin: AdminConnection, types: ReadonlyMap<number, string>): Promise<void> {
    const decoder = new ChangeDecoder(types);
    const appender = this.#appender;
    if (appender === null) return;
    const stream: ReplicationStream = await ReplicationStream.start(
      this.#host,
      admin,
      feedSlotName(this.#options.ref),
      {
        message: (bytes) => {
          this.#heard += 1;
          for (const event of decoder.decode(decodePgOutput(bytes), bytes.length)) appender.add(event);
          this.#flushSoon();
        },
        reached: (lsn) => {
          if (appender.inTransaction || lsn <= this.#reached) return;
          this.#reached = lsn;
          this.#confirmLater();
        },
        ended: (error) => this.#reconnect(error),
      },
    );
    if (this.#closed) {
      stream.close();
      return;
    }
    this.#stream = stream;
    this.#backoff = LIMITS.backoffBaseMs;
  }

  /** All that one read from the socket brought goes under one commit of the file. */
  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.#host.soon(() => {
      this.#flushing = false;
      const file = this.#file;
      if (file === null) return;
      try {
        const news = this.#appender?.flush() === true;
        if (file.lsn > this.#reached) this.#reached = file.lsn;
        this.#confirmLater();
        if (news) this.#appended();
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  #confirmLater(): void {
    if (this.#confirmTimer !== null || this.#closed) return;
    this.#confirmTimer = this.#host.setTimer(LIMITS.feedConfirmMs, () => {
      this.#confirmTimer = null;
      try {
        this.#confirm();
        this.#trim();
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  /** The server may forget only what a power cut here cannot undo. */
  #confirm(): void {
    const file = this.#file;
    if (file === null || this.#appender?.inTransaction === true) return;
    file.advance(this.#reached);
    if (file.lsn === this.#confirmed) return;
    file.makeDurable();
    this.#confirmed = file.durableLsn;
    this.#stream?.confirm(this.#confirmed);
  }

  #trim(): void {
    const keep = this.#options.rows ?? LIMITS.feedRows;
    if (this.#file?.trim(keep) !== true) return;
    this.#host.defer(() => {
      if (!this.#closed) this.#trim();
    });
  }

  #reconnect(error: unknown): void {
    this.#stream?.close();
    this.#stream = null;
    if (this.#closed) return;
    try {
      this.#appender?.reset();
    } catch (cause) {
      this.#fail(cause);
      return;
    }
    const { log, ref } = this.#options;
    const spread = this.#backoff * 3 - LIMITS.backoffBaseMs;
    this.#backoff = Math.min(LIMITS.backoffCapMs, LIMITS.backoffBaseMs + this.#host.random() * spread);
    log.info(
      { ref, error: describeError(error), ms: Math.round(this.#backoff) },
      'the change stream broke; again soon',
    );
    this.#retryTimer = this.#host.setTimer(this.#backoff, () => {
      this.#retryTimer = null;
      this.#connect().catch((again: unknown) => this.#reconnect(again));
    });
  }

  #newEpoch(): string {
    return Buffer.from(this.#host.randomBytes(9)).toString('base64url');
  }

  #unavailable(cause: unknown): MagError {
    return new MagError(
      'MAG_FEED_UNAVAILABLE',
      { ref: this.#options.ref, why: describeError(cause) },
      { cause },
    );
  }

  /** The file itself failed: nothing more can be promised from here. */
  #fail(error: unknown): void {
    if (this.#closed) return;
    this.#stream?.close();
    this.#stream = null;
    this.#failed(this.#unavailable(error));
  }
}
