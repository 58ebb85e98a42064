import type { Clock } from '@grace/contracts';
import type { CoreState } from '../core/state.ts';
import type { Journal } from '../journal/journal.ts';
import type { ServiceNotifier } from './notifier.ts';

/** A watchdog shorter than this would be fed by a steady stream of processes, ms. */
const LEAST_WATCHDOG_MS = 1000;

/**
 * The connection to the service manager that started this system: it names its socket in NOTIFY_SOCKET. Undefined without one; then
 * nothing of this is loaded.
 * Its variables are taken out of `env`: cells and kernels do not speak for the service, least of all feed its watchdog. WATCHDOG_PID names
 * the main process of the unit, which is the command line; the supervisor feeds the watchdog in its place.
 */
export async function openService(
  env: NodeJS.ProcessEnv,
  parts: { clock: Clock; journal: Journal; state: () => Pick<CoreState, 'phase' | 'kernels'> },
): Promise<ServiceNotifier | undefined> {
  const socket = env['NOTIFY_SOCKET'];
  const watchdogUsec = env['WATCHDOG_USEC'];
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name];
  if (!socket) return undefined;
  const [{ createNotifier }, { notifyProgram }, { standingOf }] = await Promise.all([
    import('./notifier.ts'),
    import('./notify-program.ts'),
    import('./standing.ts'),
  ]);
  const service = createNotifier({
    send: notifyProgram(socket, env['PATH']),
    watchdogMs: watchdogMs(watchdogUsec),
    now: () => parts.clock.monoMs(),
    standing: () => standingOf(parts.state()),
    failed: ({ message }) => note(`the service manager cannot be told how the system stands: ${message}`),
  });
  parts.journal.subscribe(({ name }) => {
    if (name === 'system:ready' || name === 'system:stop') service.look();
  });
  return service;
}

/** Null without a watchdog, or with one that nothing sensible can be read from. */
function watchdogMs(usec: string | undefined): number | null {
  if (usec === undefined || usec === '' || usec === '0') return null;
  const ms = Number(usec) / 1000;
  if (/^\d+$/.test(usec) && ms >= LEAST_WATCHDOG_MS) return ms;
  note(`WATCHDOG_USEC=${usec} is no watchdog of at least ${LEAST_WATCHDOG_MS} ms; it is not fed`);
  return null;
}

/** To logs/supervisor.log of the home. */
function note(message: string): void {
  process.stderr.write(`${JSON.stringify({ grace: 'systemd', message })}\n`);
}
