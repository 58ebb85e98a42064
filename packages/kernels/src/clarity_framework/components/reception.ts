import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { type Agreement, type Answer, judge, type NeedSeen } from './handshake.ts';
import type { KernelRoll } from './kernels.ts';
import type { Component, Registry } from './registry.ts';

/** Who is there, kernels and components alike, and who may count on whom. */
export interface Reception {
  /**
   * Asks every kernel the component needs for its status, now, and settles.
   * @throws GraceError `NOT_FOUND`, `FORBIDDEN`
   */
  shakeHands(id: string, version: string, by: string): Promise<{ id: string } & Agreement>;
  everybody(): ({ id: string; kind: 'kernel' | 'component' } & Record<string, unknown>)[];
  names(): string[];
}

const ANSWER_MS = 1500;

export function createReception(ctx: KernelContext, kernels: KernelRoll, registry: Registry): Reception {
  const ask = async (kernel: string): Promise<Answer> => {
    // Over the bus, its own answer would say no more than that it is asking.
    if (kernel === ctx.id) return { ok: true, ms: 0 };
    const startMono = ctx.clock.monoMs();
    try {
      await ctx.call(kernel, 'status', {}, { deadlineMs: ANSWER_MS });
      return { ok: true, ms: ctx.clock.monoMs() - startMono };
    } catch (error) {
      const code = error instanceof GraceError ? `${error.code}: ` : '';
      return { ok: false, error: `${code}${(error as Error).message}`.slice(0, 200) };
    }
  };
  const look = async (id: string): Promise<NeedSeen> => {
    const kernel = kernels.get(id);
    if (kernel) {
      const answer = await ask(id);
      // What was learnt meanwhile counts.
      const { state, incarnation, readyRecord } = kernels.get(id) ?? kernel;
      return { kind: 'kernel', state: id === ctx.id ? 'running' : state, incarnation, readyRecord, answer };
    }
    const component = registry.get(id);
    return component ? { kind: 'component', standing: component.standing, needs: component.needs } : { kind: 'absent' };
  };
  /** Of what was acknowledged: what is not there any more. */
  const missing = ({ standing, needs }: Component): string[] => {
    if (standing !== 'accepted') return [];
    return needs.filter((id) =>
      kernels.get(id)
        ? kernels.get(id)!.state !== 'running' && id !== ctx.id
        : registry.get(id)?.standing !== 'accepted',
    );
  };
  const names = (): string[] => [...kernels.all(), ...registry.all()].map(({ id }) => id);

  return {
    async shakeHands(id, version, by) {
      const { needs } = registry.own(id, by);
      const seen = new Map(await Promise.all(needs.map(async (need) => [need, await look(need)] as const)));
      // It may have been announced anew, or withdrawn, while others were asked.
      const component = registry.own(id, by);
      const agreement = judge(component, version, seen, names(), ctx.clock.wallMs());
      registry.settle(id, agreement);
      ctx.log.info(`handshake ${agreement.accepted ? 'accepted' : 'refused'}`, {
        component: id,
        reason: agreement.reason,
      });
      return { id, ...agreement };
    },
    everybody: () => [
      ...kernels.all().map((kernel) => ({ kind: 'kernel' as const, ...kernel })),
      ...registry.all().map((component) => ({ kind: 'component' as const, ...component, missing: missing(component) })),
    ],
    names,
  };
}
