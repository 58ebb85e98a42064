import type { AnyRecord } from '@grace/contracts';
import type { Channel } from '@grace/control';

/** Records the bus carries to kernels. Samples of the laboratory and the broker's own counters stay out: they would only make noise. */
const CARRIED = /^(system|cell|kernel|incident|detector|playbook|drill|record|bus:muted|bus:unmuted|bus:backlog)/;
const HELD = 2000;

/**
 * Gives journal records to message_bus, which publishes them as `system.events.*`. While it is down they wait, the oldest are dropped and
 * counted: the journal has them all.
 */
export function createFeed(target: () => { channel: Channel; kernel: string } | undefined): {
  take(record: AnyRecord): void;
  flush(): void;
} {
  let held: AnyRecord[] = [];
  let missed = 0;
  const flush = (): void => {
    const to = target();
    if (!to || held.length === 0) return;
    if (to.channel.notice('feed', { kernel: to.kernel, records: held, missed })) {
      held = [];
      missed = 0;
    }
  };
  return {
    take(record) {
      if (!CARRIED.test(record.name)) return;
      if (held.length >= HELD) {
        held.shift();
        missed++;
      }
      held.push(record);
      queueMicrotask(flush);
    },
    flush,
  };
}
