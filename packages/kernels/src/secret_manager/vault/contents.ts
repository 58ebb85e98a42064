import { GraceError } from '@grace/contracts';
import { matches } from '../names.ts';

export const RIGHTS = ['get', 'set', 'revoke'] as const;
/** `set` covers rotate too. */
export type Right = (typeof RIGHTS)[number];

export interface Version {
  version: number;
  value: string;
  createdMs: number;
  /** The principal that brought it. */
  by: string;
  /** Wall time from which it is no longer handed out; null for the current one. */
  endsMs: number | null;
}

export interface Grant {
  principal: string;
  pattern: string;
  can: readonly Right[];
  sinceMs: number;
  by: string;
}

/** What the vault holds. Never changed: each change makes another. */
export interface Contents {
  /** Name -> versions, the newest last. */
  readonly secrets: ReadonlyMap<string, readonly Version[]>;
  readonly grants: readonly Grant[];
}

export const EMPTY: Contents = { secrets: new Map(), grants: [] };

export const LIMITS = { secrets: 1000, grants: 1000 };

export interface Change {
  name: string;
  value: string;
  by: string;
  nowMs: number;
  /** How long the version before is still handed out to those who ask for it by number. */
  graceMs: number;
  /** Versions that are kept of one secret. */
  versionsMax: number;
}

/** @throws GraceError `TOO_LARGE` when there are too many secrets */
export function withValue(
  contents: Contents,
  change: Change,
): { contents: Contents; version: number; created: boolean } {
  const { name, value, by, nowMs, graceMs, versionsMax } = change;
  const before = contents.secrets.get(name) ?? [];
  if (before.length === 0 && contents.secrets.size >= LIMITS.secrets)
    throw new GraceError('TOO_LARGE', `a vault holds at most ${LIMITS.secrets} secrets`);
  const version = (before.at(-1)?.version ?? 0) + 1;
  const kept = before
    .map((one) => ({ ...one, endsMs: one.endsMs ?? nowMs + graceMs }))
    .filter((one) => one.endsMs > nowMs);
  const versions = [
    ...kept.slice(Math.max(0, kept.length - versionsMax + 1)),
    { version, value, createdMs: nowMs, by, endsMs: null },
  ];
  return { contents: replace(contents, name, versions), version, created: before.length === 0 };
}

/** Without one version, or without the secret. When the current version goes, the secret goes. */
export function withoutValue(contents: Contents, name: string, version?: number): Contents {
  const versions = contents.secrets.get(name);
  if (!versions) throw unknownName(name);
  if (version === undefined) return replace(contents, name, []);
  if (!versions.some((one) => one.version === version)) throw unknownVersion(name, version);
  return replace(
    contents,
    name,
    version === versions.at(-1)!.version ? [] : versions.filter((one) => one.version !== version),
  );
}

/** Without versions that have ended; the same object when there are none. */
export function withoutEnded(contents: Contents, nowMs: number): Contents {
  const hasEnded = (one: Version): boolean => one.endsMs !== null && one.endsMs <= nowMs;
  return [...contents.secrets].reduce(
    (left, [name, versions]) =>
      versions.some(hasEnded)
        ? replace(
            left,
            name,
            versions.filter((one) => !hasEnded(one)),
          )
        : left,
    contents,
  );
}

/** @throws GraceError `NOT_FOUND` */
export function versionOf(contents: Contents, name: string, version: number | undefined, nowMs: number): Version {
  const versions = contents.secrets.get(name);
  if (!versions) throw unknownName(name);
  const found = version === undefined ? versions.at(-1)! : versions.find((one) => one.version === version);
  if (!found || (found.endsMs !== null && found.endsMs <= nowMs)) throw unknownVersion(name, version!);
  return found;
}

export function withGrant(contents: Contents, grant: Grant): Contents {
  const others = contents.grants.filter((one) => !isSame(one, grant));
  if (others.length >= LIMITS.grants)
    throw new GraceError('TOO_LARGE', `a vault holds at most ${LIMITS.grants} grants`);
  return { ...contents, grants: [...others, grant] };
}

export function withoutGrant(contents: Contents, gone: { principal: string; pattern: string }): Contents {
  const grants = contents.grants.filter((one) => !isSame(one, gone));
  if (grants.length === contents.grants.length)
    throw new GraceError('NOT_FOUND', `${gone.principal} has no grant for ${gone.pattern}`);
  return { ...contents, grants };
}

export function isGranted(grants: readonly Grant[], principal: string, right: Right, name: string): boolean {
  return grants.some(
    (grant) => grant.principal === principal && grant.can.includes(right) && matches(grant.pattern, name),
  );
}

/** Plain data for the file. */
export function toPlain(contents: Contents): unknown {
  return { secrets: [...contents.secrets], grants: contents.grants };
}

/** What was authenticated is what this product wrote: its form is not checked further. */
export function fromPlain(plain: unknown): Contents {
  const { secrets, grants } = plain as { secrets: [string, Version[]][]; grants: Grant[] };
  return { secrets: new Map(secrets), grants };
}

function replace(contents: Contents, name: string, versions: readonly Version[]): Contents {
  const secrets = new Map(contents.secrets);
  if (versions.length === 0) secrets.delete(name);
  else secrets.set(name, versions);
  return { ...contents, secrets };
}

const isSame = (a: { principal: string; pattern: string }, b: { principal: string; pattern: string }): boolean =>
  a.principal === b.principal && a.pattern === b.pattern;

const unknownName = (name: string): GraceError => new GraceError('NOT_FOUND', `there is no secret ${name}`, { name });
const unknownVersion = (name: string, version: number): GraceError =>
  new GraceError('NOT_FOUND', `${name} has no version ${version} that is still handed out`, { name, version });
