import type { SendMessage } from './notify-program.ts';
import { NOTHING_TOLD, saying } from './saying.ts';
import type { Standing } from './standing.ts';

/** Tells a service manager how the system stands. Nothing in the system waits for it. */
export interface ServiceNotifier {
  /** The supervisor's pulse: feeds the watchdog. A supervisor that hangs does not beat, and so the manager finds out. */
  beat(): void;
  /** Something has changed that should not wait for the next beat. */
  look(): void;
  /** Says what is still to be said, within a deadline, and nothing after that. */
  close(): Promise<void>;
}

export interface NotifierParts {
  send: SendMessage;
  /** The manager's watchdog, ms; null: none. */
  watchdogMs: number | null;
  now(): number;
  standing(): Standing;
  /** Called once, for the first message that did not get through. */
  failed(error: Error): void;
}

const DEADLINE_MS = 5000;
/** A message that hangs must not cost the next feeding of the watchdog. */
const DEADLINE_SHARE = 0.25;
const LEAST_DEADLINE_MS = 250;
const CLOSE_MS = 2000;

/** At most one message is on its way; what comes meanwhile is put together into the next one, the newest value of each kind. */
export function createNotifier(parts: NotifierParts): ServiceNotifier {
  const { watchdogMs } = parts;
  const deadlineMs = Math.max(
    LEAST_DEADLINE_MS,
    Math.min(DEADLINE_MS, watchdogMs === null ? DEADLINE_MS : watchdogMs * DEADLINE_SHARE),
  );
  let told = NOTHING_TOLD;
  let next: Record<string, string> = {};
  let sending: Promise<void> | undefined;
  let noted = false;
  let ended = false;

  const send = async (): Promise<void> => {
    while (Object.keys(next).length > 0 && !ended) {
      const assignments = Object.entries(next).map(([key, value]) => `${key}=${value}`);
      next = {};
      try {
        await parts.send(assignments, deadlineMs);
      } catch (error) {
        if (!noted) parts.failed(error as Error);
        noted = true;
        // There is no such program on this host: there never will be.
        if (isMissing(error)) ended = true;
      }
    }
    sending = undefined;
  };
  const say = (beat: boolean): void => {
    if (ended) return;
    const said = saying(told, parts.standing(), { now: parts.now(), watchdogMs, beat });
    told = said.told;
    next = { ...next, ...said.assignments };
    if (Object.keys(next).length > 0) sending ??= send();
  };

  return {
    beat: () => say(true),
    look: () => say(false),
    async close() {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, CLOSE_MS);
      });
      await Promise.race([sending, late]);
      clearTimeout(timer);
      ended = true;
    },
  };
}

function isMissing(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return cause?.code === 'ENOENT' || cause?.code === 'EACCES';
}
