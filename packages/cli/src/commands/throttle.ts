import type { ClientMethods } from '@grace/contracts';
import { Command } from 'commander';
import { OK } from '../exit.ts';
import { showMs, showShare } from '../output/figures.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { withSystem } from '../system/connect.ts';
import { milliseconds, shareOrOff } from './arguments.ts';

interface ThrottleOptions extends GlobalOptions {
  for?: number;
}

type Throttled = ClientMethods['throttle']['result'];

/** Setting the limit in the cell, ms. */
const DEADLINE_MS = 10_000;

const METHODS: Record<Throttled['method'], string> = {
  cgroup2: 'by a control group (v2)',
  cgroup1: 'by a control group (v1)',
  inspector: 'by pausing and resuming its thread',
  none: 'but nothing on this machine enforces it: grace doctor tells why',
};

export function throttleCommand(start: Start): Command {
  return new Command('throttle')
    .description('hold the thread of a kernel to a share of one core')
    .argument('<kernel>', 'its id')
    .argument('<share>', '20% or 0.2 of one core; off lifts what was set by hand', shareOrOff)
    .option('--for <duration>', 'it ends by itself after this long; without it, it stays', milliseconds)
    .action(async (kernel: string, share: number | 'off', _: unknown, command: Command) => {
      const options = command.optsWithGlobals<ThrottleOptions>();
      await start(options, (session) => throttle(session, kernel, share === 'off' ? null : share, options.for ?? null));
    });
}

async function throttle(session: Session, kernel: string, cpu: number | null, forMs: number | null): Promise<number> {
  const { out } = session;
  const result = await withSystem(session, (client) =>
    client.request('throttle', { kernel, by: 'cli', cpu, forMs }, DEADLINE_MS),
  );
  if (out.json) out.document(result);
  else out.line(sentence(result, cpu, forMs));
  return OK;
}

/** What holds after the order: lifting what a hand has set leaves what the manifest says. */
function sentence({ kernel, cpu, method }: Throttled, asked: number | null, forMs: number | null): string {
  if (cpu === null) return `${kernel} has no CPU limit any more`;
  const held = `${kernel} is held to ${showShare(cpu)} of a core ${METHODS[method]}`;
  if (asked === null) return `${held}, as its manifest says`;
  return forMs === null ? held : `${held}, for ${showMs(forMs)}`;
}
