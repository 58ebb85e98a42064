import { randomUUID } from 'node:crypto';
import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Playbook } from './playbook/types.ts';
import { drive, type RunEnd } from './run/drive.ts';

const KEY = 'probe-token';

/** A busy disk may take this long for a write; what heals is done as soon as it is. */
const HEALS_WITHIN_MS = 1000;
/** What cannot heal is waited for this long: it must not, so there is nothing to gain from waiting longer. */
const REFUSED_AFTER_MS = 10;

/**
 * A playbook that changes nothing but a token in this kernel's own store: one step that writes it, verified by reading it back, with a
 * compensation that removes it. `expected` is what the verification asks for.
 */
function tokenPlaybook(id: string, written: string, expected: string, withinMs: number): Playbook {
  const clause = { fact: 'store.token', operator: 'is' as const, value: expected };
  return {
    id,
    title: 'Writes a token and verifies it',
    trigger: [],
    conditions: [{ fact: 'store.token', operator: 'not', value: written }],
    guards: { budget: 1, windowMs: 1, coolDownMs: 0 },
    steps: [
      {
        id: 'write',
        when: [],
        action: { kind: 'verb', kernel: 'self_healing', verb: 'write', input: written },
        deadlineMs: withinMs,
        attempts: 1,
        delayMs: 0,
        verify: [clause],
        onFailure: 'stop',
        compensation: { kind: 'verb', kernel: 'self_healing', verb: 'write', input: 'none' },
      },
    ],
    worse: [],
    postCondition: { clauses: [clause], holdMs: 5, withinMs },
  };
}

/**
 * Two runs through the real engine: one that must heal, and one whose verification must refuse it, and whose compensation must then run.
 * An engine that calls everything healed fails here, as does a store that keeps nothing.
 */
export async function probeEngine(ctx: KernelContext): Promise<Record<string, unknown>> {
  const run = (playbook: Playbook): Promise<RunEnd> =>
    drive({
      id: randomUUID(),
      playbook,
      target: ctx.id,
      clock: ctx.clock,
      signal: new AbortController().signal,
      world: {
        observe: async () => ({ store: { token: ctx.store.get<string>(KEY) ?? 'none' } }),
        act: async (action) => {
          if (action.kind !== 'verb') throw new GraceError('INTERNAL', `the probe has no action ${action.kind}`);
          ctx.store.set(KEY, action.input);
          return { detail: 'written', result: null };
        },
      },
    });
  const token = randomUUID();
  const good = await run(tokenPlaybook('probe_heals', token, token, HEALS_WITHIN_MS));
  expect(good.outcome === 'healed', `a playbook that does its work ended as "${good.outcome}": ${good.detail}`);
  const other = randomUUID();
  const bad = await run(tokenPlaybook('probe_does_not_heal', other, token, REFUSED_AFTER_MS));
  expect(bad.outcome === 'not healed', `a playbook that does not do its work ended as "${bad.outcome}": ${bad.detail}`);
  expect(ctx.store.get(KEY) === 'none', 'the failed playbook was not compensated');
  return { healed: Math.round(good.ms), refuted: Math.round(bad.ms), steps: good.steps.length };
}

function expect(holds: boolean, message: string): void {
  if (!holds) throw new GraceError('INTERNAL', message);
}
