import { GraceError } from '@grace/contracts';
import { type CedarHost, createCedarHost } from '../engine/cedar.ts';
import { decideOnce } from '../engine/engine.ts';
import { compilePolicies } from './compile.ts';
import type { PolicySet, Sources } from './policy-set.ts';

/**
 * Policies checked in an instance of Cedar of their own.
 * @throws GraceError `POLICY_INVALID`
 */
export function checkPolicies(sources: Sources): PolicySet {
  return unbroken(createCedarHost(), (host) => provenPolicies(host, sources));
}

/** Text that breaks the parser breaks this instance, and is told as what it is: invalid. */
export function unbroken<T>(host: CedarHost, work: (host: CedarHost) => T): T {
  try {
    return work(host);
  } catch (error) {
    if (error instanceof GraceError && error.code === 'INTERNAL') {
      throw new GraceError('POLICY_INVALID', `the policies break the parser: ${error.message}`, {}, { cause: error });
    }
    throw error;
  }
}

/** Compiled, and asked once: what parses may still break when it is asked, or want attributes that nobody gives. */
export function provenPolicies(host: CedarHost, sources: Sources): PolicySet {
  const set = host.use((cedar) => compilePolicies(cedar, sources));
  for (const [action, { fields, resource }] of Object.entries(set.actions)) {
    // Those with fields of their own need values that only askers have; of a request, governance gives the attributes.
    if (resource === 'Request' || Object.values(fields).some(({ required }) => required)) continue;
    const question = { principal: 'governance', action, resource: 'check', context: {} };
    try {
      decideOnce(host, set, question);
    } catch (error) {
      if (!(error instanceof GraceError) || error.code !== 'BAD_INPUT') throw error;
      throw new GraceError(
        'POLICY_INVALID',
        `action ${action} cannot be asked: ${error.message}`,
        { action },
        { cause: error },
      );
    }
  }
  return set;
}
