import { randomBytes } from 'node:crypto';
import { GraceError, type VerbMeta } from '@grace/contracts';
import { is, readInput, type Verb } from '@grace/kernel-sdk';
import { createAdministration } from './administration.ts';
import { createLending } from './lending.ts';
import { matches, namePattern, PROBE_NAME, secretName, secretValue } from './names.ts';
import { knowGiven, type Parts, recorded } from './parts.ts';
import { RIGHTS, type Right, withoutValue, withValue } from './vault/contents.ts';

const DAY_MS = 86_400_000;
const versionNumber = is.optional(is.number({ min: 1, integer: true }));
const grace = is.optional(is.number({ min: 0, max: 365 * DAY_MS, integer: true }));

interface Put {
  action: 'secret:set' | 'secret:rotate';
  name: string;
  value: string;
  graceMs: number | undefined;
  by: string;
}

export function createVerbs(parts: Parts): Record<string, Verb> {
  const { ctx, settings, vault, desk, leases, holders, audit, nowMs } = parts;
  const lending = createLending(parts);

  const put = async ({ action, name, value, graceMs = settings.graceMs, by }: Put) => {
    const answer = await desk.may(by, 'set', name);
    const untilMs = nowMs() + graceMs;
    const { version, created, changed } = await vault.change((contents) => {
      const current = contents.secrets.get(name)?.at(-1);
      if (action === 'secret:rotate' && !current)
        throw new GraceError('NOT_FOUND', `there is no secret ${name}`, { name });
      // Said again after a lost answer: the same version.
      if (action === 'secret:set' && current?.value === value)
        return { contents, result: { version: current.version, created: false, changed: false } };
      const { versionsMax } = settings;
      const next = withValue(contents, { name, value, by, nowMs: nowMs(), graceMs, versionsMax });
      audit.record({ actor: by, action, resource: name, outcome: 'ok', payload: { version: next.version, ...answer } });
      return { contents: next.contents, result: { version: next.version, created: next.created, changed: true } };
    });
    audit.flush();
    return { name, version, created, told: changed ? holders.rotated(name, version, untilMs) : 0 };
  };

  return {
    /** Keeps a value under a name; a name that is there gets a new version. */
    async set(input: unknown, meta: VerbMeta) {
      knowGiven(ctx, input);
      const given = readInput(input, { name: secretName, value: secretValue, graceMs: grace });
      const { from: by } = meta;
      return await recorded(parts, { actor: by, action: 'secret:set', resource: given.name }, () =>
        put({ action: 'secret:set', ...given, by }),
      );
    },

    /** A new version of a secret that is there: of the value given, or of random characters. */
    async rotate(input: unknown, meta: VerbMeta) {
      knowGiven(ctx, input);
      const given = readInput(input, {
        name: secretName,
        value: is.optional(secretValue),
        bytes: is.optional(is.number({ min: 16, max: 1024, integer: true })),
        graceMs: grace,
      });
      if (given.value !== undefined && given.bytes !== undefined)
        throw new GraceError('BAD_INPUT', 'input.bytes: expected either value or bytes, got both');
      const value = given.value ?? randomBytes(given.bytes ?? 32).toString('base64url');
      ctx.secrets.know(value);
      const { from: by } = meta;
      return await recorded(parts, { actor: by, action: 'secret:rotate', resource: given.name }, () =>
        put({ action: 'secret:rotate', ...given, value, by }),
      );
    },

    /** Ends a lease, a version, or a secret with all its versions. What is revoked is not in the vault any more. */
    async revoke(input: unknown, meta: VerbMeta) {
      const given = readInput(input, {
        lease: is.optional(is.unknown()),
        name: is.optional(secretName),
        version: versionNumber,
      });
      const { name, version } = given;
      if (given.lease !== undefined && name === undefined && version === undefined)
        return lending.endLease(given.lease, meta.from);
      if (name === undefined || given.lease !== undefined)
        throw new GraceError('BAD_INPUT', 'input: expected either lease, or name with or without version');
      return await recorded(parts, { actor: meta.from, action: 'secret:revoke', resource: name }, async () => {
        const answer = await desk.may(meta.from, 'revoke', name);
        const payload = { version: version ?? null, ...answer };
        const gone = await vault.change((contents) => {
          const left = withoutValue(contents, name, version);
          audit.record({ actor: meta.from, action: 'secret:revoke', resource: name, outcome: 'ok', payload });
          return { contents: left, result: !left.secrets.has(name) };
        });
        audit.flush();
        return { name, gone, ended: holders.revoked(name, gone ? undefined : version) };
      });
    },

    ...lending.verbs,

    /** Names that the caller has a right on, and their versions; no values. */
    list(input: unknown, meta: VerbMeta) {
      const { pattern } = readInput(input, { pattern: is.optional(namePattern) });
      const rights = (name: string): Right[] => RIGHTS.filter((right) => desk.isGranted(meta.from, right, name));
      return [...vault.contents.secrets]
        .filter(([name]) => name !== PROBE_NAME && (pattern === undefined || matches(pattern, name)))
        .map(([name, versions]) => ({
          name,
          can: rights(name),
          versions: versions.map(({ version, createdMs, by, endsMs }) => ({
            version,
            created: new Date(createdMs).toISOString(),
            by,
            ends: endsMs === null ? null : new Date(endsMs).toISOString(),
          })),
        }))
        .filter(({ can }) => can.length > 0)
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    },

    ...createAdministration(parts),

    status(input: unknown) {
      readInput(input, {});
      const { secrets, grants } = vault.contents;
      const { generation, writtenMs, openedBy } = vault.standing;
      return {
        kernel: ctx.id,
        incarnation: ctx.incarnation,
        secrets: secrets.size - (secrets.has(PROBE_NAME) ? 1 : 0),
        grants: grants.length,
        leases: leases.count(),
        vault: { generation, written: new Date(writtenMs).toISOString(), openedBy, key: settings.key.kind },
        audit: { waiting: audit.waiting },
      };
    },
  };
}
