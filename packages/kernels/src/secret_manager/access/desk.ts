import { GraceError } from '@grace/contracts';
import { type KernelContext, type Question, requirePermit } from '@grace/kernel-sdk';
import { matches, PROBE_NAME } from '../names.ts';
import type { Settings } from '../settings.ts';
import { type Contents, type Grant, isGranted, type Right } from '../vault/contents.ts';

/** The functional probe is a principal with one grant, so that a refusal can be seen too. */
export const PROBE = { granted: 'secret_probe', stranger: 'secret_probe_stranger' } as const;

const PROBE_GRANT: Grant = {
  principal: PROBE.granted,
  pattern: PROBE_NAME,
  can: ['get'],
  sinceMs: 0,
  by: 'secret_manager',
};

/** What stands on the record of an access. */
interface PolicyAnswer {
  decision: string | null;
  policies: readonly string[];
}

const DEADLINE_MS = 1000;

export interface AccessDesk {
  /**
   * Grants first, then policies.
   * @throws GraceError `FORBIDDEN`, `APPROVAL_NEEDED`, `GOVERNANCE_UNREACHABLE`
   */
  may(principal: string, right: Right, name: string): Promise<PolicyAnswer>;
  /** Whether a grant speaks for it; no policy is asked. */
  isGranted(principal: string, right: Right, name: string): boolean;
  mayAdminister(principal: string, operation: 'rekey' | 'grants', vault: string): Promise<PolicyAnswer>;
  isOwner(principal: string): boolean;
}

const NOBODY: PolicyAnswer = { decision: null, policies: [] };

export function createDesk(ctx: KernelContext, settings: Settings, contents: () => Contents): AccessDesk {
  const isOwner = (principal: string): boolean => settings.owners.includes(principal);
  const granted = (principal: string, right: Right, name: string): boolean =>
    (name !== PROBE_NAME && isOwner(principal)) ||
    isGranted(name === PROBE_NAME ? [PROBE_GRANT] : contents().grants, principal, right, name);
  /** Fails closed: only what the configuration names goes on without governance. */
  const ask = async (question: Question, offline: boolean): Promise<PolicyAnswer> => {
    try {
      const { id, policies } = await requirePermit(ctx, question, { deadlineMs: DEADLINE_MS });
      return { decision: id, policies };
    } catch (error) {
      if (!(error instanceof GraceError && error.code === 'GOVERNANCE_UNREACHABLE' && offline)) throw error;
      return { decision: null, policies: ['offlineAllow'] };
    }
  };

  return {
    isOwner,
    isGranted: granted,
    async may(principal, right, name) {
      if (!granted(principal, right, name)) {
        throw new GraceError('FORBIDDEN', `${principal} may not ${right} ${name}: it has no grant for that`, {
          principal,
          right,
          name,
        });
      }
      // The probe must tell of the vault, not of governance.
      if (name === PROBE_NAME) return NOBODY;
      const action = right === 'get' ? 'read_secret' : 'write_secret';
      return await ask(
        { action, resource: name, principal },
        settings.offlineAllow.some((pattern) => matches(pattern, name)),
      );
    },
    async mayAdminister(principal, operation, vault) {
      if (!isOwner(principal))
        throw new GraceError(
          'FORBIDDEN',
          `${principal} does not administer the vault; owners: ${settings.owners.join(', ')}`,
          { principal },
        );
      const question = { action: 'administer_secrets', resource: vault, principal, context: { operation } };
      return await ask(question, settings.offlineAllow.includes('>'));
    },
  };
}
