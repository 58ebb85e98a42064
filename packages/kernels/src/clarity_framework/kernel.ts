import type { StatusDocument } from '@grace/contracts';
import { defineKernel, is, type KernelContext } from '@grace/kernel-sdk';
import { createKernelRoll } from './components/kernels.ts';
import { createReception } from './components/reception.ts';
import { COMPONENT_TABLES, createRegistry } from './components/registry.ts';
import { createDecisionBook, DECISION_TABLES } from './decisions/book.ts';
import { createDecisionCourier } from './decisions/courier.ts';
import { ARCHIVE_TABLES, createArchive } from './happenings/archive.ts';
import { listen } from './listen.ts';
import { createProbe } from './probe.ts';
import { createTeller } from './story/teller.ts';
import { createDrills } from './trust/drills.ts';
import { createTrustLedger, TRUST_TABLES } from './trust/ledger.ts';
import { type Observation, observe } from './trust/observation.ts';
import { createRounds } from './trust/rounds.ts';
import { createVerbs } from './verbs.ts';

/** Happenings kept: some days of a system that has something to tell. */
const HAPPENINGS_MAX = 50_000;
const FLUSH_MS = 500;
const STATUS_DEADLINE_MS = 1000;
/** Between two looks at the supervisor's own list: the journal says the changes, this what was missed. */
const STATUS_EVERY_MS = 30_000;
const STATUS_RETRY_MS = 1000;

export default defineKernel({
  id: 'clarity_framework',
  async start(ctx) {
    const keptMax =
      is.optional(is.number({ min: 100, max: 10_000_000, integer: true }))(
        ctx.config['happenings'],
        'config.happenings',
      ) ?? HAPPENINGS_MAX;
    ctx.store.migrate([ARCHIVE_TABLES + DECISION_TABLES + COMPONENT_TABLES + TRUST_TABLES]);
    const trust = createTrustLedger(ctx.store);
    const drills = createDrills(ctx.store);
    const count = (observation: Observation): void => {
      const { kept, atMs, correlation } = observation;
      trust.count(observation, !kept && drills.touched(atMs, correlation));
    };
    const archive = createArchive(ctx.store, keptMax, (happening) => {
      const observation = observe(happening);
      if (observation) count(observation);
    });
    const kernels = createKernelRoll();
    const registry = createRegistry(ctx.store);
    const reception = createReception(ctx, kernels, registry);
    const book = createDecisionBook(ctx.store);
    const courier = createDecisionCourier(ctx, book);
    const teller = createTeller(ctx, archive, book);

    const rounds = createRounds(() => ctx.clock.wallMs());
    await listen(ctx, archive, kernels.hear, count);
    ctx.every(FLUSH_MS, archive.flush);
    lookAtSupervisor(ctx, (status) => {
      kernels.read(status);
      archive.flush();
      ctx.store.transaction(() => rounds(status).forEach(count));
    });
    const probe = createProbe(book, teller, () => ctx.clock.wallMs());
    return {
      verbs: createVerbs({ ctx, kernels, registry, reception, book, courier, archive, teller, trust }),
      probe: async () => ({ ...(await probe()), components: kernels.all().length + registry.all().length }),
      async drain() {
        await courier.finish();
        archive.flush();
      },
    };
  },
});

/** Beside the start, and again until the supervisor has answered once; from then on from time to time. */
function lookAtSupervisor(ctx: KernelContext, take: (status: StatusDocument) => void): void {
  let dueMono = 0;
  const look = async (): Promise<void> => {
    if (ctx.clock.monoMs() < dueMono) return;
    let status: StatusDocument;
    try {
      status = (await ctx.supervisor.command('status', {}, STATUS_DEADLINE_MS)) as StatusDocument;
    } catch (error) {
      ctx.log.debug('the supervisor told nothing of its kernels', { error: (error as Error).message });
      return;
    }
    // Asked to end meanwhile: the store is about to be closed.
    if (ctx.signal.aborted) return;
    dueMono = ctx.clock.monoMs() + STATUS_EVERY_MS;
    take(status);
  };
  look().catch((error: Error) => ctx.log.error('the first look at the supervisor failed', { error: error.message }));
  ctx.every(STATUS_RETRY_MS, look);
}
