import type { KernelContext } from '@grace/kernel-sdk';
import type { Lease, Leases } from './leases.ts';
import type { Contents } from './vault/contents.ts';

/** Those who hold a lease hear what becomes of their version: names and versions, no values. */
export interface Holders {
  /** There is a newer version; how many were told. Theirs is handed out until `untilMs`. */
  rotated(name: string, version: number, untilMs: number): number;
  /** The secret, or this version of it, is gone. */
  revoked(name: string, version?: number): number;
  ended(lease: Lease): void;
  /** Tells what a life before this one had no time to tell. */
  catchUp(): void;
}

export function createHolders(ctx: KernelContext, leases: Leases, contents: () => Contents): Holders {
  const tell = (what: 'rotated' | 'revoked', name: string, held: readonly Lease[]): number => {
    if (held.length === 0) return 0;
    const current = contents().secrets.get(name)?.at(-1)?.version ?? null;
    const payload = {
      name,
      current,
      leases: held.map(({ id, principal, version, expiresMs }) => ({
        lease: id,
        principal,
        version,
        expires: new Date(expiresMs).toISOString(),
      })),
    };
    ctx.bus.publish(`kernel.secret_manager.event.${what}`, payload).catch((error: unknown) => {
      if (!ctx.signal.aborted)
        ctx.log.warn(`holders were not told of what was ${what}`, { name, error: String(error) });
    });
    return held.length;
  };

  const holders: Holders = {
    rotated: (name, version, untilMs) => tell('rotated', name, leases.supersede(name, version, untilMs)),
    revoked: (name, version) => tell('revoked', name, leases.endAll(name, version)),
    ended: (lease) => void tell('revoked', lease.name, [lease]),
    catchUp() {
      const { secrets } = contents();
      const stale = leases.all().filter(({ name, version, expiresMs }) => {
        const found = secrets.get(name)?.find((one) => one.version === version);
        return !found || (found.endsMs !== null && found.endsMs < expiresMs);
      });
      for (const { name, version } of stale) {
        const found = secrets.get(name)?.find((one) => one.version === version);
        if (!found) holders.revoked(name, version);
        else holders.rotated(name, secrets.get(name)!.at(-1)!.version, found.endsMs!);
      }
    },
  };
  return holders;
}
