import {
  type AclDocument,
  type AnyDraft,
  type ClientMethods,
  didYouMean,
  GraceError,
  type Incident,
  type KernelStatus,
  PROTOCOL,
  type ProfileKind,
  RUNNER_EVENTS,
  type StatusDocument,
  type TunableKnob,
} from '@grace/contracts';
import { checkAcl } from './acl-shape.ts';
import type { FaultDesk } from './fault-desk.ts';

/** What the supervisor gives the clients of its socket. */
export interface Desk {
  version: string;
  armed: boolean;
  status(): StatusDocument;
  ready(deadlineMs: number): Promise<ClientMethods['ready']['result']>;
  stop(reason: string, timeoutMs: number): void;
  /** Resolves when the kernel is ready in a later incarnation. */
  restart(
    kernel: string,
    order: { by: string; reason: string; correlation: string | undefined },
    deadlineMs: number,
  ): Promise<{ kernel: string; incarnation: number }>;
  isolate(kernel: string, by: string, deadlineMs: number): Promise<{ kernel: string; cell: string }>;
  /** Resolves when the kernel is down. */
  pause(kernel: string, by: string, deadlineMs: number): Promise<{ kernel: string }>;
  resume(kernel: string, by: string, deadlineMs: number): Promise<{ kernel: string; incarnation: number }>;
  quarantine(kernel: string, order: { by: string; reason: string }, deadlineMs: number): Promise<{ kernel: string }>;
  /** @throws GraceError `BAD_INPUT` for a share that cannot be, `KERNEL_NOT_RUNNING` */
  throttle(
    kernel: string,
    order: { by: string; cpu: number | null; forMs: number | null },
    deadlineMs: number,
  ): Promise<ClientMethods['throttle']['result']>;
  /** Sets a value of its manifest while it runs; without a value, reads it. @throws GraceError `BAD_INPUT` for what is no knob, or out of bounds */
  tune(
    kernel: string,
    order: { knob: string; value: number | undefined; by: string; reason: string },
    deadlineMs: number,
  ): Promise<{ kernel: string; knob: TunableKnob; from: number; value: number }>;
  stack(kernel: string, deadlineMs: number): Promise<ClientMethods['stack']['result']>;
  profile(
    kernel: string,
    order: { kind: ProfileKind; durationMs: number },
    deadlineMs: number,
  ): Promise<ClientMethods['profile']['result']>;
  probe(kernel: string, deadlineMs: number): Promise<ClientMethods['probe']['result']>;
  call(input: ClientMethods['call']['params'], deadlineMs: number): Promise<unknown>;
  verbs(kernel: string): string[];
  incidents(id: string | undefined): Incident[];
  read(input: ClientMethods['journal.read']['params']): Promise<ClientMethods['journal.read']['result']>;
  last(): number;
  append(draft: AnyDraft): number;
  token(principal: string): { socket: string; token: string };
  /** @throws GraceError `CONFIG_INVALID` when the broker refuses them; the rules before stay */
  reload(acl: AclDocument, by: string, deadlineMs: number): Promise<ClientMethods['bus.reload']['result']>;
  faults: FaultDesk;
}

export interface ClientSession {
  role: 'client' | 'runner' | null;
  follow(after: number): void;
}

type Handlers = {
  [M in keyof ClientMethods]: (
    params: ClientMethods[M]['params'],
    deadlineMs: number,
  ) => Promise<ClientMethods[M]['result']> | ClientMethods[M]['result'];
};

/** Time kept back from a client's deadline, so that it gets our answer and not its own time-out, ms. */
const RESERVE_MS = 100;

/** Answers one client's requests. Params are checked here: this is the border of the system. */
export function createClientMethods(
  desk: Desk,
  session: ClientSession,
): (method: string, params: unknown, context: { deadlineMs: number }) => Promise<unknown> {
  const kernelId = (id: unknown): string => {
    const kernels = desk.status().kernels;
    if (kernels.some((kernel: KernelStatus) => kernel.id === id)) return id as string;
    const ids = kernels.map((kernel) => kernel.id);
    throw new GraceError(
      'UNKNOWN_KERNEL',
      `there is no kernel "${String(id)}"${didYouMean(String(id), ids)}; kernels: ${ids.join(', ')}`,
      { kernel: id },
    );
  };
  const runnerOnly = (method: string): void => {
    if (session.role !== 'runner') throw new GraceError('FORBIDDEN', `only the laboratory may use "${method}"`);
  };

  const handlers: Handlers = {
    hello(params) {
      if (params.protocol !== PROTOCOL)
        throw new GraceError(
          'PROTOCOL',
          `this system speaks protocol ${PROTOCOL}, the client ${params.protocol}; use the same version of grace for both`,
        );
      if (params.role !== 'client' && params.role !== 'runner')
        throw new GraceError('PROTOCOL', `role must be client or runner, not "${String(params.role)}"`);
      session.role = params.role;
      return { pid: process.pid, version: desk.version, armed: desk.armed };
    },
    status: () => desk.status(),
    ready: (_params, deadlineMs) => desk.ready(deadlineMs),
    stop(params) {
      desk.stop(text(params.reason, 'reason'), number(params.timeoutMs, 'timeoutMs', 0, 600_000));
      return { stopping: true };
    },
    restart: (params, deadlineMs) =>
      desk.restart(
        kernelId(params.kernel),
        { by: text(params.by, 'by'), reason: 'by hand', correlation: undefined },
        deadlineMs,
      ),
    isolate: (params, deadlineMs) => desk.isolate(kernelId(params.kernel), text(params.by, 'by'), deadlineMs),
    pause: (params, deadlineMs) => desk.pause(kernelId(params.kernel), text(params.by, 'by'), deadlineMs),
    resume: (params, deadlineMs) => desk.resume(kernelId(params.kernel), text(params.by, 'by'), deadlineMs),
    quarantine: (params, deadlineMs) =>
      desk.quarantine(
        kernelId(params.kernel),
        { by: text(params.by, 'by'), reason: text(params.reason, 'reason') },
        deadlineMs,
      ),
    throttle: (params, deadlineMs) =>
      desk.throttle(
        kernelId(params.kernel),
        { by: text(params.by, 'by'), cpu: params.cpu, forMs: params.forMs },
        deadlineMs,
      ),
    stack: (params, deadlineMs) => desk.stack(kernelId(params.kernel), deadlineMs),
    profile(params, deadlineMs) {
      if (params.kind !== 'cpu' && params.kind !== 'heap')
        throw new GraceError('BAD_INPUT', `kind: expected cpu or heap, got ${JSON.stringify(params.kind)}`);
      const durationMs = number(params.durationMs, 'durationMs', 10, 60_000);
      return desk.profile(kernelId(params.kernel), { kind: params.kind, durationMs }, deadlineMs);
    },
    probe: (params, deadlineMs) => desk.probe(kernelId(params.kernel), deadlineMs),
    call: (params, deadlineMs) =>
      desk.call(
        {
          ...params,
          kernel: kernelId(params.kernel),
          verb: text(params.verb, 'verb'),
          from: outsider(params.from),
        },
        deadlineMs,
      ),
    verbs: (params) => desk.verbs(kernelId(params.kernel)),
    incidents: (params) => desk.incidents(params.id === undefined ? undefined : text(params.id, 'id')),
    'journal.read': (params) =>
      desk.read({
        ...params,
        after: number(params.after, 'after', 0, Number.MAX_SAFE_INTEGER),
        limit: number(params.limit, 'limit', 1, 10_000),
      }),
    'journal.follow'(params) {
      session.follow(number(params.after, 'after', 0, Number.MAX_SAFE_INTEGER));
      return { last: desk.last() };
    },
    'journal.append'(params) {
      runnerOnly('journal.append');
      let last = desk.last();
      for (const record of params.records) {
        if (!RUNNER_EVENTS.includes(record.name))
          throw new GraceError('FORBIDDEN', `"${record.name}" is not an event the laboratory may write`);
        last = desk.append(record);
      }
      return { last };
    },
    'bus.reload': (params, deadlineMs) => desk.reload(checkAcl(params.acl), text(params.by, 'by'), deadlineMs),
    'bus.token': (params) => desk.token(text(params.principal, 'principal')),
    'drill.permit'(params) {
      runnerOnly('drill.permit');
      return desk.faults.permit(params);
    },
    async 'drill.revoke'(params) {
      runnerOnly('drill.revoke');
      await desk.faults.revoke(text(params.id, 'id'));
      return {};
    },
    'fault.apply'(params) {
      runnerOnly('fault.apply');
      return desk.faults.apply(params.lease);
    },
    'fault.renew'(params) {
      runnerOnly('fault.renew');
      return desk.faults.renew(text(params.id, 'id'));
    },
    'fault.undo': (params) => desk.faults.undo(text(params.id, 'id')),
    'fault.list': () => desk.faults.list(),
  };

  return async (method, params, { deadlineMs }) => {
    if (!Object.hasOwn(handlers, method))
      throw new GraceError(
        'UNKNOWN_METHOD',
        `there is no method "${method}"${didYouMean(method, Object.keys(handlers))}`,
      );
    if (session.role === null && method !== 'hello')
      throw new GraceError('PROTOCOL', 'the first request of a connection must be "hello"');
    const handler = handlers[method as keyof Handlers] as (params: unknown, deadlineMs: number) => unknown;
    return await handler(params ?? {}, Math.max(1, deadlineMs - RESERVE_MS));
  };
}

function text(value: unknown, name: string): string {
  if (typeof value === 'string' && value.length > 0 && value.length < 10_000) return value;
  throw new GraceError('BAD_INPUT', `${name}: expected a text, got ${JSON.stringify(value)}`);
}

/** Some verbs answer the supervisor alone. */
function outsider(from: unknown): string {
  if (from !== 'supervisor') return text(from, 'from');
  throw new GraceError('FORBIDDEN', 'no client may call as the supervisor');
}

function number(value: unknown, name: string, min: number, max: number): number {
  if (typeof value === 'number' && value >= min && value <= max) return value;
  throw new GraceError('BAD_INPUT', `${name}: expected a number from ${min} to ${max}, got ${JSON.stringify(value)}`);
}
