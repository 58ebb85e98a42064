import { createHash } from 'node:crypto';
import { type AclDocument, type ClientMethods, GraceError, type KernelState } from '@grace/contracts';
import type { RulesInForce } from '../home/access-rules.ts';
import type { Journal } from '../journal/journal.ts';
import type { Loop } from '../loop.ts';
import type { Desk } from './methods.ts';

const BUS = 'message_bus';

/** On its way up: it was, or may have been, born with the rules before. */
const RISING: ReadonlySet<KernelState> = new Set<KernelState>(['waiting', 'starting', 'probing']);

type Reloaded = ClientMethods['bus.reload']['result'];

/**
 * Replaces the access rules of the running system, one order at a time. They are kept before the broker hears of them, and given back when it
 * refuses them: whenever the broker or the supervisor dies, the rules in force are the old or the new, whole.
 */
export function createAclDesk(parts: {
  rules: RulesInForce;
  loop: Loop;
  journal: Journal;
  call: Desk['call'];
}): Desk['reload'] {
  const { rules, loop, journal, call } = parts;
  let before: Promise<unknown> = Promise.resolve();

  const reload = async (acl: AclDocument, by: string, deadlineMs: number): Promise<Reloaded> => {
    const bus = loop.state.kernels[BUS];
    if (!bus)
      throw new GraceError('UNKNOWN_KERNEL', 'this system runs no message_bus, so no access rules are in force');
    const old = rules.acl;
    rules.replace(acl);
    const outcome = await give(acl, deadlineMs).catch((error: unknown) => {
      rules.replace(old);
      throw error;
    });
    const sha256 = createHash('sha256').update(JSON.stringify(acl)).digest('hex');
    const data = { by, principals: Object.keys(acl.principals).length, sha256, ...outcome };
    journal.append({ name: 'bus:acl', data });
    return { principals: data.principals, sha256, ...outcome };
  };

  /** Refused by the broker: thrown. Not there to take them: its next life starts with them. */
  const give = async (acl: AclDocument, deadlineMs: number): Promise<Pick<Reloaded, 'applied' | 'ended'>> => {
    const until = performance.now() + deadlineMs;
    const settled = (): true | undefined => (RISING.has(loop.state.kernels[BUS]!.state) ? undefined : true);
    try {
      await loop.until('the start of message_bus', settled, deadlineMs);
      const left = Math.max(1, until - performance.now());
      const { ended } = (await call({ kernel: BUS, verb: 'reload', input: { acl }, from: 'supervisor' }, left)) as {
        ended: number;
      };
      return { applied: true, ended };
    } catch (error) {
      if (error instanceof GraceError && (error.code === 'KERNEL_NOT_RUNNING' || error.code === 'KERNEL_GONE'))
        return { applied: false, ended: 0 };
      throw error;
    }
  };

  return (acl, by, deadlineMs) => {
    const mine = before.then(() => reload(acl, by, deadlineMs));
    before = mine.catch(() => {});
    return mine;
  };
}
