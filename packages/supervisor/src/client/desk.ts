import { join } from 'node:path';
import { GraceError, HOME, type ProfileKind, type StatusDocument, type SystemPlan } from '@grace/contracts';
import { type Channel, signBusToken } from '@grace/control';
import type { KernelRecord } from '../core/state.ts';
import type { RulesInForce } from '../home/access-rules.ts';
import type { createIncidentFold } from '../journal/incident-fold.ts';
import type { Journal } from '../journal/journal.ts';
import type { Loop } from '../loop.ts';
import { createAclDesk } from './acl-desk.ts';
import type { FaultDesk } from './fault-desk.ts';
import { createHandDesk } from './hand-desk.ts';
import type { Desk } from './methods.ts';

export interface DeskParts {
  plan: SystemPlan;
  loop: Loop;
  journal: Journal;
  incidents: ReturnType<typeof createIncidentFold>;
  busKey: Uint8Array;
  rules: RulesInForce;
  faults: FaultDesk;
  channel(cell: string): Channel | undefined;
  status(): StatusDocument;
  profile(kernel: string, order: { kind: ProfileKind; durationMs: number }): ReturnType<Desk['profile']>;
}

/** Rate at which a principal that is no kernel may publish, messages a second. */
const OUTSIDE_RATE = 100_000;

/** What clients of the control socket, and kernels with a granted command, can have done. */
export function createDesk(parts: DeskParts): Desk {
  const { plan, loop, journal, incidents } = parts;
  const record = (kernel: string): KernelRecord => loop.state.kernels[kernel]!;

  const online = (kernel: string): { incarnation: number; channel: Channel } => {
    const { state, cell, error, incarnation } = record(kernel);
    const channel = parts.channel(cell);
    if (state === 'running' && channel) return { incarnation, channel };
    throw new GraceError('KERNEL_NOT_RUNNING', `${kernel} is ${state}${error ? ` (${error.message})` : ''}`, {
      kernel,
      state,
    });
  };

  const booted = (): Awaited<ReturnType<Desk['ready']>> | undefined => {
    if (loop.state.phase === 'booting') return undefined;
    const kernels = Object.entries(loop.state.kernels);
    const failed = kernels
      .filter(([, kernel]) => kernel.state !== 'running')
      .map(([kernel, { state, error }]) => ({
        kernel,
        error: error ?? { code: 'KERNEL_NEVER_READY', message: `${kernel} is ${state}` },
      }));
    return { ready: kernels.length - failed.length, total: kernels.length, ms: loop.state.readyMs ?? 0, failed };
  };

  const call: Desk['call'] = async ({ kernel, verb, input, from }, deadlineMs) =>
    await online(kernel).channel.request('kernel.call', { kernel, verb, input, from, deadlineMs }, deadlineMs);

  return {
    version: plan.version,
    armed: plan.armed,
    status: parts.status,
    faults: parts.faults,
    ready: (deadlineMs) => loop.until('the boot', booted, deadlineMs),
    stop: (reason, timeoutMs) => loop.emit({ t: 'stop', reason, timeoutMs }),
    ...createHandDesk(loop),
    async stack(kernel, deadlineMs) {
      const { incarnation, channel } = online(kernel);
      return await channel.request('kernel.stack', { kernel, incarnation, deadlineMs }, deadlineMs);
    },
    profile: (kernel, order) => parts.profile(kernel, order),
    async probe(kernel, deadlineMs) {
      const { incarnation, channel } = online(kernel);
      const asked = performance.now();
      const detail = await channel.request<Record<string, unknown>>(
        'kernel.probe',
        { kernel, incarnation, deadlineMs },
        deadlineMs,
      );
      return { ok: true, ms: Math.round((performance.now() - asked) * 10) / 10, detail };
    },
    call,
    reload: createAclDesk({ rules: parts.rules, loop, journal, call }),
    verbs: (kernel) => record(kernel).verbs,
    incidents(id) {
      if (id === undefined) return incidents.list();
      const found = incidents.get(id);
      if (!found) throw new GraceError('UNKNOWN_INCIDENT', `there is no incident "${id}"`);
      return [found];
    },
    async read({ after, limit, names }) {
      const records = await journal.read(after, limit);
      return {
        records: names ? records.filter((entry) => names.includes(entry.name)) : records,
        last: records.at(-1)?.seq ?? after,
      };
    },
    last: () => journal.last,
    append: (draft) => journal.append(draft).seq,
    token(principal) {
      if (loop.state.kernels[principal])
        throw new GraceError('FORBIDDEN', `"${principal}" is a kernel; nobody else may speak as it`);
      if (!Object.hasOwn(parts.rules.acl.principals, principal) || principal === 'supervisor') {
        const known = Object.keys(parts.rules.acl.principals).filter(
          (name) => name !== 'supervisor' && !loop.state.kernels[name],
        );
        throw new GraceError(
          'FORBIDDEN',
          `the access rules know no outside principal "${principal}"; they know ${known.join(', ') || 'none'}`,
        );
      }
      const identity = { principal, incarnation: 1, messagesPerSecond: OUTSIDE_RATE, kernel: false };
      return { socket: join(plan.home, HOME.busSocket), token: signBusToken(identity, parts.busKey) };
    },
  };
}
