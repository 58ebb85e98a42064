import { GraceError, type VerbMeta } from '@grace/contracts';
import { is, readInput, type Verb } from '@grace/kernel-sdk';
import type { Lease } from './leases.ts';
import { leaseId, secretName } from './names.ts';
import { type Parts, recorded } from './parts.ts';
import { type Version, versionOf } from './vault/contents.ts';

export interface Lending {
  verbs: Record<string, Verb>;
  endLease(id: unknown, principal: string): { name: string; ended: number };
}

/** Handing out values, each for a time. */
export function createLending(parts: Parts): Lending {
  const { ctx, settings, vault, desk, leases, holders, audit, nowMs } = parts;
  const leaseMs = is.optional(is.number({ min: 1000, max: settings.leaseMaxMs, integer: true }));

  /** No longer than the version itself is handed out. */
  const durationOf = (version: Version, asked: number | undefined): number =>
    Math.min(asked ?? settings.leaseMs, version.endsMs === null ? settings.leaseMaxMs : version.endsMs - nowMs());

  const ownLease = (id: string, principal: string): Lease => {
    const lease = leases.get(id);
    if (lease.principal === principal || desk.isOwner(principal)) return lease;
    throw new GraceError('FORBIDDEN', `the lease is not one of ${principal}`, { lease: id });
  };

  return {
    verbs: {
      async get(input: unknown, meta: VerbMeta) {
        const given = readInput(input, {
          name: secretName,
          version: is.optional(is.number({ min: 1, integer: true })),
          leaseMs,
        });
        const entry = { actor: meta.from, action: 'secret:get', resource: given.name };
        return await recorded(parts, entry, async () => {
          const answer = await desk.may(meta.from, 'get', given.name);
          const found = versionOf(vault.contents, given.name, given.version, nowMs());
          const { version, value } = found;
          const { id, expiresMs } = ctx.store.transaction(() => {
            const lease = leases.issue(meta.from, given.name, version, durationOf(found, given.leaseMs));
            audit.within({ ...entry, outcome: 'ok', payload: { version, lease: lease.id, ...answer } });
            return lease;
          });
          audit.flush();
          return {
            name: given.name,
            version,
            value,
            lease: id,
            expires: iso(expiresMs),
            current: found.endsMs === null,
          };
        });
      },

      /** The holder goes on using the version; asked like a `get`. */
      async renew(input: unknown, meta: VerbMeta) {
        const given = readInput(input, { lease: leaseId, leaseMs });
        const { principal, name } = ownLease(given.lease, meta.from);
        const entry = { actor: meta.from, action: 'secret:renew', resource: name };
        return await recorded(parts, entry, async () => {
          const answer = await desk.may(principal, 'get', name);
          // It may have ended while the policies were asked.
          const lease = ownLease(given.lease, meta.from);
          const found = versionOf(vault.contents, name, lease.version, nowMs());
          const renewed = ctx.store.transaction(() => {
            audit.within({ ...entry, outcome: 'ok', payload: { lease: lease.id, ...answer } });
            return leases.renew(lease, durationOf(found, given.leaseMs));
          });
          audit.flush();
          return shown(renewed);
        });
      },

      /** The caller's own; an owner sees all. */
      leases(input: unknown, meta: VerbMeta) {
        const { name, limit } = readInput(input, {
          name: is.optional(secretName),
          limit: is.optional(is.number({ min: 1, max: 1000, integer: true })),
        });
        const principal = desk.isOwner(meta.from) ? undefined : meta.from;
        return leases.list({ name, principal }, limit ?? 100).map(shown);
      },
    },

    endLease(id, principal) {
      const held = ownLease(leaseId(id, 'input.lease'), principal);
      ctx.store.transaction(() => {
        const payload = { lease: held.id, of: held.principal };
        audit.within({ actor: principal, action: 'lease:revoke', resource: held.name, outcome: 'ok', payload });
        leases.end(held.id);
      });
      audit.flush();
      if (held.principal !== principal) holders.ended(held);
      return { name: held.name, ended: 1 };
    },
  };
}

function shown({ id, principal, name, version, expiresMs }: Lease): Record<string, unknown> {
  return { lease: id, principal, name, version, expires: iso(expiresMs) };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
