import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AclDocument, GraceError, HOME, type SystemPlan } from '@grace/contracts';

/** The access rules in force: the plan's, until somebody gives the running system others. Those outlive the supervisor, not the system. */
export interface RulesInForce {
  readonly acl: AclDocument;
  /** @throws GraceError `STORAGE_FULL`, `HOME_UNUSABLE`; the rules before stay */
  replace(acl: AclDocument): void;
}

/** @param goesOn this supervisor goes on with a system that may have been given other rules than its plan's */
export function openRules(plan: Pick<SystemPlan, 'home' | 'acl'>, goesOn: boolean): RulesInForce {
  const path = join(plan.home, HOME.acl);
  if (!goesOn) rmSync(path, { force: true });
  let acl = (goesOn ? read(path) : undefined) ?? plan.acl;
  return {
    get acl() {
      return acl;
    },
    replace(next) {
      try {
        writeFileSync(`${path}.new`, JSON.stringify(next), { mode: 0o600, flush: true });
        renameSync(`${path}.new`, path);
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        throw new GraceError(
          code === 'ENOSPC' ? 'STORAGE_FULL' : 'HOME_UNUSABLE',
          `the access rules cannot be kept in ${path}: ${message}`,
          { path, errno: code },
        );
      }
      acl = next;
    },
  };
}

function read(path: string): AclDocument | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as AclDocument;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
