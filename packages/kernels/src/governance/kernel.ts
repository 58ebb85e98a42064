import { join } from 'node:path';
import { GraceError } from '@grace/contracts';
import { type Courier, defineKernel, is, type KernelContext } from '@grace/kernel-sdk';
import { createCedarHost } from './engine/cedar.ts';
import { createEngine } from './engine/engine.ts';
import { createGovernor } from './governor.ts';
import { createKeeper, UNFINISHED } from './keeper.ts';
import { type Checker, createChecker } from './policies/checker.ts';
import type { PolicySet } from './policies/policy-set.ts';
import { createSealedFiles } from './policies/sealed.ts';
import { createVersions } from './policies/versions.ts';
import { createProbe } from './probe.ts';
import { createActCourier } from './record/courier.ts';
import { TABLES } from './record/tables.ts';
import { createVerbs } from './verbs.ts';

/** An altered file is seen within this time. */
const LOOK_MS = 1000;
const EXPIRE_MS = 1000;

export default defineKernel({
  id: 'governance',
  async start(ctx) {
    const folders = is.array(is.string({ max: 4096 }), { max: 10 })(ctx.config['folders'], 'config.folders');
    const lookMs = is.optional(is.number({ min: 20 }))(ctx.config['lookMs'], 'config.lookMs') ?? LOOK_MS;
    ctx.store.migrate(TABLES);
    const host = createCedarHost();
    const check = createChecker(ctx.signal);
    const { set, isFirst } = await policiesInForce(ctx, check, folders);
    let courier: Courier | undefined;
    const governor = createGovernor(ctx, createEngine(host, set, 'live'), () => courier?.wake());
    courier = createActCourier(ctx, governor.journal);
    const sealed = createSealedFiles(join(ctx.stateDir, 'in-force'));
    const keeper = createKeeper(ctx, governor, sealed, folders, check);

    if (isFirst)
      ctx.supervisor.report({
        name: 'governance:policies',
        data: { version: set.version, former: null, by: 'first start', policies: Object.keys(set.policies).length },
      });
    if (ctx.store.get(UNFINISHED) === true) {
      await sealed.write(set.files);
      ctx.store.delete(UNFINISHED);
    }
    await keeper.look();
    ctx.every(lookMs, () => keeper.look());
    ctx.every(EXPIRE_MS, () => governor.expire());

    return {
      verbs: createVerbs(governor, keeper, check, () => ({
        version: governor.engine.set.version,
        policies: Object.keys(governor.engine.set.policies).length,
        approvals: governor.approvals.counts(),
        permits: governor.permits.active(),
        audit: { unsent: governor.journal.unsent(), lastError: courier.lastError() },
        drift: keeper.drifts(),
        files: sealed.folder,
      })),
      probe: createProbe(ctx, host, governor),
      async drain() {
        await governor.turns.settled();
        await courier.finish();
      },
    };
  },
});

/**
 * Those that were accepted last, whatever the sources say by now: policies change when somebody who may says so. The first start accepts what
 * it is given.
 */
async function policiesInForce(
  ctx: KernelContext,
  check: Checker,
  folders: readonly string[],
): Promise<{ set: PolicySet; isFirst: boolean }> {
  const versions = createVersions(ctx.store);
  const kept = versions.current();
  if (kept) return { set: kept, isFirst: false };
  // `set` was checked when the product was built.
  const set = (ctx.config['set'] as PolicySet | undefined) ?? (await check({ folders })).set;
  if (Object.keys(set.policies).length === 0) {
    throw new GraceError('POLICY_INVALID', `${folders.join(', ')}: expected policies, got none`);
  }
  ctx.store.transaction(() => {
    versions.accept(set, 'first start', Math.floor(ctx.clock.wallMs()));
    ctx.store.set(UNFINISHED, true);
  });
  return { set, isFirst: true };
}
