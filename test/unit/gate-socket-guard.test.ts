import { EventEmitter } from 'node:events';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { GateMetrics } from '../../src/actors/gate/gate-metrics.ts';
import { ReplyBudget } from '../../src/actors/gate/reply-budget.ts';
import { SocketGuard } from '../../src/actors/gate/socket-guard.ts';
import { LIMITS } from '../../src/limits.ts';

/** A guard that may hold `limit` sockets: so many edges share the limit. */
function guardOf(limit: number): { guard: SocketGuard; metrics: GateMetrics; clock: { now: number } } {
  const metrics = new GateMetrics();
  const clock = { now: 0 };
  const guard = new SocketGuard(metrics, Math.floor(LIMITS.connections / limit), () => clock.now);
  return { guard, metrics, clock };
}

/** A request without a body on this socket: its head is all of it. */
function requestOn(socket: Socket): IncomingMessage {
  return new IncomingMessage(socket);
}

describe('the guard of sockets', () => {
  it('lets a half-open one give way when it is full', () => {
    const { guard, metrics } = guardOf(16);
    const sockets = Array.from({ length: 17 }, () => new Socket());
    for (const socket of sockets) guard.accept(socket);
    expect(sockets[0]?.destroyed).toBe(true);
    expect(sockets.at(-1)?.destroyed).toBe(false);
    expect(metrics.halfOpenEvicted).toBeGreaterThan(0);
    expect(metrics.refused).toBe(0);
  });

  it('turns the newest away when all others are at work, and asks for room, but not each time', () => {
    const { guard, metrics, clock } = guardOf(16);
    let asked = 0;
    guard.onFull(() => {
      asked += 1;
    });
    for (let at = 0; at < 16; at += 1) {
      const socket = new Socket();
      guard.accept(socket);
      guard.headed(requestOn(socket));
    }
    const late = [new Socket(), new Socket(), new Socket()];
    for (const socket of late.slice(0, 2)) guard.accept(socket);
    expect([metrics.refused, asked, late[0]?.destroyed]).toEqual([2, 1, true]);
    clock.now += LIMITS.socketCheckMs;
    for (const socket of late.slice(2)) guard.accept(socket);
    expect([metrics.refused, asked]).toEqual([3, 2]);
  });

  it('forgets a socket that closes', async () => {
    const { guard } = guardOf(16);
    const socket = new Socket();
    guard.accept(socket);
    socket.destroy();
    await new Promise((resolve) => socket.once('close', resolve));
    expect([guard.sockets, guard.halfOpen]).toEqual([0, 0]);
  });
});

describe('the budget of unread replies', () => {
  const responseTo = (): ServerResponse => new ServerResponse(new IncomingMessage(new Socket()));

  it('refuses the large reply that would exceed it, until another was read', () => {
    const budget = new ReplyBudget();
    const large = 'x'.repeat(64 * 1024 * 1024);
    const responses = Array.from({ length: 4 }, responseTo);
    for (const response of responses) budget.admit(response, large);
    expect(() => budget.admit(responseTo(), large)).toThrowError(
      expect.objectContaining({ code: 'MAG_OVERLOADED', status: 503 }),
    );
    expect(() => budget.admit(responseTo(), 'small')).not.toThrow();
    EventEmitter.prototype.emit.call(responses[0], 'close');
    expect(() => budget.admit(responseTo(), large)).not.toThrow();
  });
});
