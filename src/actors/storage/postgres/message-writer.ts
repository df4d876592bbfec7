/** Code points of the messages that we send. */
const PARSE = 0x50;
const BIND = 0x42;
const DESCRIBE = 0x44;
const EXECUTE = 0x45;
const SYNC = 0x53;

/** What a batch begins with; one that outgrows it gets more, once. */
const INITIAL_BYTES = 16 * 1024;
/** A scratch that one large batch made grow is not kept. */
const KEPT_BYTES = 256 * 1024;

/**
 * Several messages of the extended query protocol as one piece of bytes, for one write: the driver's own serializer
 * makes a buffer of each, which cost more to hand to the socket than to fill. One for all connections of a thread:
 * a batch is begun and taken in one turn.
 */
export class MessageWriter {
  #scratch = Buffer.allocUnsafe(INITIAL_BYTES);
  #end = 0;

  begin(): this {
    this.#end = 0;
    return this;
  }

  parse(name: string, text: string): this {
    const start = this.#open(PARSE);
    this.#cstring(name);
    this.#cstring(text);
    this.#int16(0); // No types: the server infers each.
    return this.#close(start);
  }

  /** Binds text values to the unnamed portal; its rows come as text. */
  bind(statement: string, values: readonly (string | null)[]): this {
    const start = this.#open(BIND);
    this.#cstring('');
    this.#cstring(statement);
    this.#int16(0);
    this.#int16(values.length);
    for (const value of values) this.#value(value);
    this.#int16(0);
    return this.#close(start);
  }

  describePortal(): this {
    const start = this.#open(DESCRIBE);
    this.#room(1);
    this.#scratch[this.#end] = 0x50; // P: a portal
    this.#end += 1;
    this.#cstring('');
    return this.#close(start);
  }

  /** Runs the unnamed portal to its end. */
  execute(): this {
    const start = this.#open(EXECUTE);
    this.#cstring('');
    this.#int32(0);
    return this.#close(start);
  }

  sync(): this {
    return this.#close(this.#open(SYNC));
  }

  /** The batch, in memory of its own: the socket may keep it for a while. */
  take(): Buffer {
    const batch = Buffer.from(this.#scratch.subarray(0, this.#end));
    if (this.#scratch.length > KEPT_BYTES) this.#scratch = Buffer.allocUnsafe(INITIAL_BYTES);
    return batch;
  }

  /** Gives where the length goes, which counts itself and not the code. */
  #open(code: number): number {
    this.#room(5);
    this.#scratch[this.#end] = code;
    this.#end += 5;
    return this.#end - 4;
  }

  #close(start: number): this {
    this.#scratch.writeInt32BE(this.#end - start, start);
    return this;
  }

  #value(value: string | null): void {
    if (value === null) {
      this.#int32(-1);
      return;
    }
    this.#room(4 + value.length * 3);
    const written = this.#scratch.write(value, this.#end + 4);
    this.#scratch.writeInt32BE(written, this.#end);
    this.#end += 4 + written;
  }

  #cstring(text: string): void {
    this.#room(text.length * 3 + 1);
    this.#end += this.#scratch.write(text, this.#end);
    this.#scratch[this.#end] = 0;
    this.#end += 1;
  }

  #int16(value: number): void {
    this.#room(2);
    this.#scratch.writeUInt16BE(value, this.#end);
    this.#end += 2;
  }

  #int32(value: number): void {
    this.#room(4);
    this.#scratch.writeInt32BE(value, this.#end);
    this.#end += 4;
  }

  #room(bytes: number): void {
    if (this.#end + bytes <= this.#scratch.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#scratch.length * 2, this.#end + bytes));
    this.#scratch.copy(larger, 0, 0, this.#end);
    this.#scratch = larger;
  }
}
