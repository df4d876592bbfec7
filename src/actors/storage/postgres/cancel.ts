import { connect as connectSocket, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ServerTls } from '../../../protocol/server-tls.ts';
import { tlsOptions } from '../tls-options.ts';

interface CancelTarget {
  readonly host: string;
  readonly port: number;
  readonly tls?: ServerTls;
}

/** CancelRequest and SSLRequest take the place of a protocol's version. */
const CANCEL = 80_877_102;
const ENCRYPT = 80_877_103;
const ACCEPTED = 'S'.charCodeAt(0);

function words(...values: readonly number[]): Buffer {
  const message = Buffer.alloc(values.length * 4);
  for (const [at, value] of values.entries()) message.writeInt32BE(value, at * 4);
  return message;
}

/** As any other connection: the key in a cancel lets whoever reads it end the statements of that session. */
function encrypt(socket: Socket, target: CancelTarget, tls: ServerTls, then: (socket: Socket) => void): void {
  socket.write(words(8, ENCRYPT));
  socket.once('data', (reply) => {
    if (reply[0] !== ACCEPTED) {
      if (tls.mode === 'prefer') then(socket);
      else socket.destroy();
      return;
    }
    const secure = connectTls({ ...tlsOptions(tls, target.host), socket });
    secure.on('error', () => secure.destroy());
    secure.once('secureConnect', () => then(secure));
  });
}

/** Asks the server to cancel what a session runs, on a connection of its own as the protocol wants it. Never throws. */
export function sendCancel(target: CancelTarget, processId: number, secretKey: number): void {
  const socket = connectSocket(target.port, target.host);
  // A server that cannot be reached has no statement left to cancel.
  socket.on('error', () => socket.destroy());
  const ask = (open: Socket): void => {
    open.end(words(16, CANCEL, processId, secretKey));
  };
  socket.on('connect', () => {
    if (target.tls === undefined) ask(socket);
    else encrypt(socket, target, target.tls, ask);
  });
}
