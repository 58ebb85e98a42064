import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { GraceError, isErrorCode } from '@grace/contracts';
import type { ActorCounts, ActorEnd, ActorOrder, FromActor, ToActor } from '../actors/protocol.ts';

/** The runner's side of an actor. The process is its child and is ended with it. Its twin is actors/main.ts. */
export interface ActorProcess {
  readonly pid: number;
  /** Instant of the monotonic clock from which it acts; null before. */
  readonly actingMono: number | null;
  readonly counts: ActorCounts;
  readonly ended: Promise<{ why: ActorEnd | null }>;
  /** Hands over the order; only from here on anything happens. */
  begin(order: ActorOrder): void;
  renew(): void;
  /** Asks it to stop, then kills it; true when the process is gone. */
  stop(deadlineMs: number): Promise<boolean>;
}

/**
 * Starts an actor that does nothing yet.
 * @param entry compiled entry file of the actor, absolute
 * @throws GraceError `DEADLINE` when it does not say that it is ready
 */
export async function startActor(entry: string, deadlineMs: number): Promise<ActorProcess> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', entry], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const state: { actingMono: number | null; counts: ActorCounts; why: ActorEnd | null; failed: GraceError | null } = {
    actingMono: null,
    counts: {},
    why: null,
    failed: null,
  };
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const ended = gone.then(() => {
    if (state.failed) throw state.failed;
    return { why: state.why };
  });
  ended.catch(() => {});
  // The pipe may break at any moment: the actor ends itself.
  child.stdin.on('error', () => {});
  const ready = Promise.withResolvers<void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const message = JSON.parse(line) as FromActor;
    switch (message.t) {
      case 'ready':
        return ready.resolve();
      case 'acting':
        state.actingMono = message.atMono;
        return;
      case 'count':
        state.counts = message.counts;
        return;
      case 'end':
        state.counts = message.counts;
        state.why = message.why;
        return;
      case 'failed':
        state.failed = new GraceError(isErrorCode(message.code) ? message.code : 'INTERNAL', message.message);
        return;
    }
  });
  const send = (message: ToActor): void => {
    if (child.stdin.writable) child.stdin.write(`${JSON.stringify(message)}\n`);
  };
  const isUp = await Promise.race([ready.promise.then(() => true), gone.then(() => false), after(deadlineMs)]);
  if (isUp !== true) {
    await end(child, gone, 0);
    throw new GraceError('DEADLINE', `the actor ${entry} was not ready within ${deadlineMs} ms`);
  }
  return {
    pid: child.pid!,
    get actingMono() {
      return state.actingMono;
    },
    get counts() {
      return state.counts;
    },
    ended,
    begin: (order) => send({ t: 'begin', order }),
    renew: () => send({ t: 'renew' }),
    stop: (wait) => {
      send({ t: 'stop' });
      return end(child, gone, wait);
    },
  };
}

/** Waits for the process, then kills it: an actor that does not obey is no reason to leave it running. */
async function end(child: ChildProcess, gone: Promise<void>, waitMs: number): Promise<boolean> {
  if (await Promise.race([gone.then(() => true), after(waitMs)])) return true;
  child.kill('SIGKILL');
  return Promise.race([gone.then(() => true), after(2000)]);
}

function after(ms: number): Promise<false> {
  return new Promise((resolve) => setTimeout(() => resolve(false), ms).unref());
}
