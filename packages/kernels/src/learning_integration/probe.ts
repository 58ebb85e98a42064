import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { choose } from './choice/choose.ts';
import type { OutcomeBook } from './outcomes/book.ts';
import { candidateOf, createForecast } from './outcomes/knowledge.ts';

/** Names that no verb takes: a blank is no part of an id. */
const SIGNATURE = 'probe signature';
const HEALS = 'probe heals';
const FAILS = 'probe fails';
const PLANTED = 10;
const SEEDS = 40;
/** In theory all but one in a thousand draws prefer the better one; see the page of this kernel. */
const PREFERRED_MIN = 38;

/**
 * The job once, on the real store: ten planted outcomes, after which the better playbook must be preferred, in whatever order the two are
 * asked for. All in one transaction that takes the outcomes away again, so that nobody ever sees them, also not after a crash.
 */
export function createProbe(
  ctx: KernelContext,
  outcomes: OutcomeBook,
  halfLifeMs: number,
): () => Record<string, unknown> {
  return () =>
    ctx.store.transaction(() => {
      const nowMs = ctx.clock.wallMs();
      const keys = Array.from({ length: PLANTED }, (_, i) => `probe ${ctx.incarnation} ${i}`);
      for (const [i, key] of keys.entries()) {
        const heals = i % 2 === 0;
        const outcome = { key, playbook: heals ? HEALS : FAILS, end: heals ? 'healed' : 'not_healed' } as const;
        outcomes.take(
          { ...outcome, signature: SIGNATURE, incident: null, tookMs: 1, atMs: nowMs, by: ctx.id },
          null,
          false,
        );
      }
      const preferred = [
        [HEALS, FAILS],
        [FAILS, HEALS],
      ].map((candidates) => {
        const forecast = createForecast(outcomes, { nowMs, halfLifeMs });
        const expected = candidates.map((id) => forecast(SIGNATURE, id));
        const seen = expected.reduce((sum, { runs }) => sum + runs, 0);
        if (seen !== PLANTED) fail(`of ${PLANTED} planted outcomes the store knows ${seen}`);
        const beta = expected.map(candidateOf);
        const picks = Array.from({ length: SEEDS }, (_, seed) => choose(beta, seed).playbook);
        return picks.filter((playbook) => playbook === HEALS).length;
      });
      for (const key of keys) outcomes.forget(key);
      const least = Math.min(...preferred);
      if (least < PREFERRED_MIN)
        fail(`after ${PLANTED} planted outcomes the better playbook was preferred ${least} of ${SEEDS} times`);
      return { planted: PLANTED, preferred: least, of: SEEDS, outcomes: outcomes.counts().kept };
    });
}

function fail(message: string): never {
  throw new GraceError('INTERNAL', `learning_integration does not do its job: ${message}`);
}
