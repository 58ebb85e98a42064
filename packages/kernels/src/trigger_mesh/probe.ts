import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Subscriber } from './match/subscriber.ts';
import type { Mesh } from './mesh.ts';
import type { Action, Rule } from './rules/rule.ts';

/** Subjects of probes; subscribed as long as the kernel runs, so a probe makes no subscription of its own. */
export const PROBE_PATTERN = 'trigger.probe.>';
const ECHO_PATTERN = 'trigger.probe.*.fired';

const CASCADE_DEPTH = 3;
const DEADLINE_MS = 2000;

/** The mesh's job once, for real: an event planted on the bus fires its rule once, and a rule that triggers itself is cut at its limit. */
export type Probe = () => Promise<Record<string, unknown>>;

export async function createProbe(ctx: KernelContext, mesh: Mesh, subscriber: Subscriber): Promise<Probe> {
  let number = 0;
  /** Probe -> how often its rule's action was seen on the bus. */
  const echoes = new Map<string, number>();
  const onEcho = ({ subject }: { subject: string }): void => {
    const probe = subject.split('.')[2]!;
    if (echoes.has(probe)) echoes.set(probe, echoes.get(probe)! + 1);
  };
  let isListening = false;
  const listen = async (): Promise<void> => {
    if (isListening) return;
    await ctx.bus.subscribe(ECHO_PATTERN, onEcho, { deadlineMs: DEADLINE_MS });
    isListening = true;
  };
  // Without a broker the kernel starts all the same; the probe says what is missing.
  await listen().catch(() => {});

  return async () => {
    await listen();
    await subscriber.settled();
    const probe = `${ctx.incarnation}-${++number}`;
    const once = `probe_once_${number}`;
    const loop = `probe_loop_${number}`;
    const start = `trigger.probe.${probe}`;
    echoes.set(probe, 0);
    mesh.put(probeRule(once, start, { publish: { subject: `${start}.fired`, payload: { of: '{{id}}' } } }));
    mesh.put(probeRule(loop, `${start}.loop`, { publish: { subject: `${start}.loop`, payload: {} } }));
    try {
      await ctx.bus.publish(start, { probe }, { deadlineMs: DEADLINE_MS });
      await ctx.bus.publish(`${start}.loop`, {}, { deadlineMs: DEADLINE_MS });
      const first = mesh.get(once);
      const second = mesh.get(loop);
      const isOver = (): boolean =>
        (echoes.get(probe)! > 0 && (second.counts.cut ?? 0) > 0) || second.counts.fired > CASCADE_DEPTH;
      const deadline = ctx.clock.monoMs() + DEADLINE_MS;
      while (!isOver() && ctx.clock.monoMs() < deadline) await new Promise((resolve) => setTimeout(resolve, 2));

      const fired = first.counts.fired;
      const cascade = second.counts.fired;
      if (echoes.get(probe) === 0)
        fail(`the planted event on ${start} did not fire its rule (judged, fired: ${fired})`);
      if (fired !== 1 || echoes.get(probe)! > 1)
        fail(`the planted event fired its rule ${fired} times, seen ${echoes.get(probe)}`);
      if (cascade !== CASCADE_DEPTH || second.counts.cut !== 1) {
        fail(
          `a cascade with the limit ${CASCADE_DEPTH} fired ${cascade} times and was cut ${second.counts.cut ?? 0} times`,
        );
      }
      return { fired, cascade, cut: 1, rules: mesh.rules().length };
    } finally {
      mesh.remove(once);
      mesh.remove(loop);
      echoes.delete(probe);
    }
  };
}

function fail(what: string): never {
  throw new GraceError('INTERNAL', `trigger_mesh does not do its job: ${what}`);
}

function probeRule(id: string, on: string, action: Action): Rule {
  return {
    id,
    title: 'functional probe',
    on,
    when: 'depth >= 0.0 && subject.startsWith("trigger.probe.")',
    key: null,
    window: null,
    and: null,
    debounceMs: 0,
    cooldownMs: 0,
    depth: CASCADE_DEPTH,
    rate: { count: 100, withinMs: 10_000 },
    breaker: { failures: 5, openMs: 1000 },
    do: [action],
    deadlineMs: DEADLINE_MS,
    enabled: true,
    source: 'probe',
  };
}
