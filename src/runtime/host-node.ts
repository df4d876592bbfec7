import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { MessageChannel } from 'node:worker_threads';
import { LIMITS } from '../limits.ts';
import type { Host, HostProcess, SpawnOptions, Timer } from './host.ts';

/** The last lines a child wrote, for the reason of its failure; older text is cut so that a chatty child costs nothing. */
class OutputTail {
  #text = '';

  add(chunk: string): void {
    this.#text = (this.#text + chunk).slice(-LIMITS.errorTextBytes);
  }

  read(): string {
    return this.#text.trim();
  }
}

function start(options: SpawnOptions): ChildProcess {
  const ipc = options.ipc === true;
  return spawn(options.command, [...options.args], {
    // A Node child's output belongs to ours; any other child's is kept for the reason of its failure.
    stdio: ipc ? ['ignore', 'inherit', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe'],
    serialization: 'advanced',
    detached: options.ownGroup === true && process.platform !== 'win32',
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });
}

function collect(child: ChildProcess, ipc: boolean, onOutput: (text: string) => void): OutputTail {
  const tail = new OutputTail();
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    tail.add(chunk);
    onOutput(chunk);
  });
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    tail.add(chunk);
    onOutput(chunk);
    if (ipc) process.stderr.write(chunk);
  });
  return tail;
}

function spawnProcess(options: SpawnOptions): HostProcess {
  const child = start(options);
  const tail = collect(child, options.ipc === true, options.onOutput ?? (() => {}));
  const exited = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    // `close` comes after the output was read to its end, but waits for grandchildren that hold the pipe: `exit` bounds it.
    child.once('exit', (code, signal) => setImmediate(() => resolve({ code, signal })));
    child.on('error', (error) => {
      tail.add(`\n${error.message}`);
      if (child.pid === undefined) resolve({ code: null, signal: null });
    });
  });
  const common = {
    pid: child.pid ?? -1,
    exited,
    kill: (signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL' | 'SIGQUIT') => void child.kill(signal),
    lastOutput: () => tail.read(),
  };
  if (options.ipc !== true) return common;
  return {
    ...common,
    // A message to a child that is just dying is lost with it; its exit is what gets reported.
    send: (message) => void (child.connected && child.send(message as object, () => {})),
    onMessage: (listener) => void child.on('message', listener),
  };
}

/** The real world: Node's clock, timers, entropy, ports and processes. The only file that touches them. */
export function nodeHost(): Host {
  return {
    now: () => performance.now(),
    wallTime: () => Date.now(),
    random: () => Math.random(),
    randomBytes: (size) => randomBytes(size),
    setTimer: (delayMs, callback) => ({ id: setTimeout(callback, Math.min(delayMs, LIMITS.timerMs)) }),
    clearTimer: (timer: Timer) => clearTimeout(timer.id as NodeJS.Timeout), // only setTimer above makes them
    defer: (callback) => void setImmediate(callback),
    soon: (callback) => queueMicrotask(callback),
    channel: () => new MessageChannel(),
    spawnProcess,
  };
}
