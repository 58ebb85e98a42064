import type { Conservation, MessageCounters } from '@grace/contracts';
import { text } from '../text/escape.ts';
import { count } from '../text/units.ts';

export const COUNTERS = ['Accepted', 'Handled', 'Rejected', 'Expired', 'Dead-lettered', 'Waiting', 'Lost'] as const;

/** The counters in the order of `COUNTERS`; a side that was not read says so. */
export function counterCells(counters: MessageCounters | null): string[] {
  if (counters === null) return COUNTERS.map(() => count(null));
  const { accepted, handled, rejected, expired, deadLettered, waiting, lost } = counters;
  return [accepted, handled, rejected, expired, deadLettered, waiting, lost].map(count);
}

/** Each side that counted, by name. */
export function sides({ workload, durable, broker }: Conservation): [name: string, MessageCounters | null][] {
  return [
    ['workload, live', workload],
    ['workload, durable', durable],
    ['broker, everybody', broker],
  ];
}

/** Whether the two agree, in words. */
export function agreement({ differences, why }: Conservation): string {
  if (differences === null) return `not compared: ${text(why ?? 'not recorded')}`;
  if (differences.length === 0) return 'the counters of the broker and of the workload agree';
  return `**they differ**: ${differences.map(text).join('; ')}`;
}

/** One line for one side: `accepted 5, handled 5, ..., **lost 0**`. */
export function countersLine(counters: MessageCounters | null): string {
  if (counters === null) return 'not recorded';
  const cells = counterCells(counters);
  const words = COUNTERS.map((name, at) => `${name.toLowerCase()} ${cells[at]}`);
  return [...words.slice(0, -1), `**${words.at(-1)}**`].join(', ');
}
