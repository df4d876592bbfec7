import type { ScopeFrame } from '../../src/protocol/actor-node.ts';
import { checkSession, scopeAddress } from './session.ts';
import { connectionLost, link, receive } from './store.ts';

const FIRST_RETRY_MS = 400;
const LAST_RETRY_MS = 8_000;

/**
 * Keeps one WebSocket to the scope open until stopped, with exponential backoff and jitter between tries.
 * A refused handshake tells a page nothing, so that the session is checked after one that never opened.
 */
export function connectScope(): () => void {
  let stopped = false;
  let tries = 0;
  let socket: WebSocket | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const retry = (): void => {
    if (stopped) return;
    const delay = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** tries) * (0.5 + Math.random() / 2);
    tries += 1;
    clearTimeout(timer);
    timer = setTimeout(open, delay);
  };

  function open(): void {
    if (stopped) return;
    let opened = false;
    const mine = new WebSocket(scopeAddress());
    socket = mine;
    mine.onopen = () => {
      opened = true;
    };
    mine.onmessage = (message) => {
      // The board writes nothing but ScopeFrames here.
      const frame = JSON.parse(String(message.data)) as ScopeFrame;
      if (!receive(frame)) {
        mine.close();
        return;
      }
      tries = 0;
      link.value = 'live';
    };
    mine.onclose = () => {
      if (socket !== mine || stopped) return;
      connectionLost();
      if (!opened) void checkSession();
      retry();
    };
  }

  const hurry = (): void => {
    if (socket?.readyState !== WebSocket.CLOSED || stopped) return;
    clearTimeout(timer);
    tries = 0;
    open();
  };

  window.addEventListener('online', hurry);
  open();
  return () => {
    stopped = true;
    clearTimeout(timer);
    window.removeEventListener('online', hurry);
    socket?.close();
    connectionLost();
  };
}
