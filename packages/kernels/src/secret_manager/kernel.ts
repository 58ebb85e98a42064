import { join } from 'node:path';
import { GraceError } from '@grace/contracts';
import { defineKernel, type KernelContext } from '@grace/kernel-sdk';
import { lockFolder, type WriterLock } from '@grace/ledger/lock';
import { AUDIT_TABLE, createAudit } from './access/audit.ts';
import { createDesk } from './access/desk.ts';
import { createHolders } from './holders.ts';
import { createLeases, LEASE_TABLE } from './leases.ts';
import { createProbe } from './probe.ts';
import { readSettings } from './settings.ts';
import { withoutEnded } from './vault/contents.ts';
import { makeFolder } from './vault/files.ts';
import { type Anchor, Vault } from './vault/vault.ts';
import { createVerbs } from './verbs.ts';

const TIDY_EVERY_MS = 30_000;

/** An encrypted vault: who may have which secret, for how long, on the record. */
export default defineKernel({
  id: 'secret_manager',
  async start(ctx) {
    const settings = readSettings(ctx);
    const dir = join(ctx.stateDir, 'vault');
    await makeFolder(dir);
    const lock = await lockVault(dir);
    try {
      ctx.store.migrate([`${LEASE_TABLE};${AUDIT_TABLE}`]);
      const nowMs = (): number => Math.floor(ctx.clock.wallMs());
      const vault = await Vault.open({
        dir,
        source: settings.key,
        anchor: anchorIn(ctx),
        nowMs,
        know: ctx.secrets.know,
        ...(settings.acceptGeneration === undefined ? {} : { acceptGeneration: settings.acceptGeneration }),
      });
      for (const versions of vault.contents.secrets.values()) for (const { value } of versions) ctx.secrets.know(value);
      const desk = createDesk(ctx, settings, () => vault.contents);
      const leases = createLeases(ctx.store, nowMs);
      const audit = createAudit(ctx);
      const holders = createHolders(ctx, leases, () => vault.contents);
      const parts = { ctx, settings, vault, desk, leases, holders, audit, nowMs };
      ctx.every(TIDY_EVERY_MS, async () => {
        leases.tidy();
        await vault.change((contents) => ({ contents: withoutEnded(contents, nowMs()), result: null }));
      });
      holders.catchUp();
      audit.flush();
      const { generation, openedBy } = vault.standing;
      ctx.log.info('vault open', { generation, openedBy, secrets: vault.contents.secrets.size });
      return {
        verbs: createVerbs(parts),
        probe: createProbe(parts),
        async drain() {
          await vault.idle();
          await audit.end();
          await lock.release();
        },
      };
    } catch (error) {
      await lock.release();
      throw error;
    }
  },
});

async function lockVault(dir: string): Promise<WriterLock> {
  try {
    return await lockFolder(dir);
  } catch (error) {
    if (!(error instanceof GraceError && error.code === 'CONFLICT')) throw error;
    const { pid, tid } = error.details;
    throw new GraceError(
      'CONFLICT',
      `${dir} is open already, in process ${pid}, thread ${tid}; a vault has one writer`,
      { dir, pid, tid },
    );
  }
}

/** In the store, beside the vault: whoever puts an earlier vault back must know of both. */
function anchorIn(ctx: KernelContext): Anchor {
  return {
    read: () => ctx.store.get<{ generation: number; fingerprint: string }>('anchor') ?? null,
    write: (mark) => ctx.store.set('anchor', mark),
  };
}
