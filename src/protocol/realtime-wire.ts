/** WebSocket frames as a server writes them (RFC 6455 5.2): final, unmasked, not compressed. */
export type Opcode = 'text' | 'binary';

const OPCODES: Readonly<Record<Opcode, number>> = { text: 0x81, binary: 0x82 };

function header(opcode: Opcode, length: number): Buffer {
  if (length < 126) return Buffer.from([OPCODES[opcode], length]);
  if (length < 65_536) {
    const short = Buffer.allocUnsafe(4);
    short[0] = OPCODES[opcode];
    short[1] = 126;
    short.writeUInt16BE(length, 2);
    return short;
  }
  const long = Buffer.allocUnsafe(10);
  long[0] = OPCODES[opcode];
  long[1] = 127;
  long.writeBigUInt64BE(BigInt(length), 2);
  return long;
}

/** Header and payload in one buffer, to be shared by every connection it goes to. */
export function wireFrame(opcode: Opcode, payload: Uint8Array): Buffer {
  return Buffer.concat([header(opcode, payload.byteLength), payload]);
}

export function wireText(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const head = header('text', length);
  const frame = Buffer.allocUnsafe(head.byteLength + length);
  head.copy(frame);
  frame.write(text, head.byteLength);
  return frame;
}

/** Why this server closes a socket. 3000–3499: come back; 3500 on: do not, with what you have. */
export const CLOSE = {
  goingAway: { code: 1001, reason: 'the board is stopping' },
  invalidFrames: { code: 1007, reason: 'too many frames that are no messages' },
  slowConsumer: { code: 3008, reason: 'the consumer is too slow' },
  silent: { code: 3009, reason: 'no heartbeat' },
  projectGone: { code: 3500, reason: 'the project is gone' },
  keyRevoked: { code: 3501, reason: 'the key is no longer valid' },
} as const;
export type CloseReason = (typeof CLOSE)[keyof typeof CLOSE];
