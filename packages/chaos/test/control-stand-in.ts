import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AnyDraft,
  type AnyRecord,
  type ClientMethod,
  type ClientMethods,
  GraceError,
  HOME,
  type KernelStatus,
  MANIFEST_DEFAULTS,
  type StatusDocument,
  systemClock,
} from '@grace/contracts';
import { Channel, type ControlClient, connectControl } from '@grace/control';

type Answers = {
  [M in ClientMethod]?: (
    params: ClientMethods[M]['params'],
  ) => ClientMethods[M]['result'] | Promise<ClientMethods[M]['result']>;
};

/** A control socket whose answers a test decides: what a system says when it is in a state that is hard to bring about. */
export interface StandIn {
  home: string;
  client: ControlClient;
  answers: Answers;
  /** What was asked, in order. */
  asked: { method: string; params: unknown }[];
  /** What was written into the journal, in order. */
  journal: AnyDraft[];
  close(): Promise<void>;
}

export async function standIn(answers: Answers = {}): Promise<StandIn> {
  const home = mkdtempSync(join(tmpdir(), 'grace-lab-'));
  mkdirSync(join(home, 'run'));
  const asked: StandIn['asked'] = [];
  const journal: AnyDraft[] = [];
  const times: number[] = [];
  const all: Answers = {
    hello: () => ({ pid: process.pid, version: '0', armed: true }),
    'journal.append': ({ records }) => {
      for (const record of records) {
        journal.push(record);
        times.push(systemClock.monoMs());
      }
      return { last: journal.length };
    },
    'journal.read': ({ after }) => {
      const records = journal.map(
        (draft, index) => ({ ...draft, seq: index + 1, monoMs: times[index]!, wallMs: 0 }) as AnyRecord,
      );
      return { records: records.slice(after), last: journal.length };
    },
    'fault.list': () => [],
    incidents: () => [],
    ...answers,
  };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    new Channel(socket, {
      onRequest: (method, params) => {
        if (method !== 'hello') asked.push({ method, params });
        const answer = all[method as ClientMethod] as ((params: unknown) => unknown) | undefined;
        if (!answer) throw new GraceError('UNKNOWN_METHOD', `the stand-in does not answer ${method}`);
        return answer(params);
      },
    });
  });
  await new Promise<void>((resolve) => server.listen(join(home, HOME.controlSocket), resolve));
  const client = await connectControl(home, { role: 'runner', name: 'test' });
  return {
    home,
    client,
    answers: all,
    asked,
    journal,
    async close() {
      client.close();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(home, { recursive: true, force: true });
    },
  };
}

export function statusOf(
  kernels: (Partial<KernelStatus> & { id: string })[],
  more: Partial<StatusDocument> = {},
): StatusDocument {
  return {
    system: {
      state: 'running',
      ready: kernels.length,
      total: kernels.length,
      uptimeMs: 1000,
      pid: process.pid,
      home: '/home',
      armed: true,
      version: '0',
      enforcement: { cpu: 'none', memory: 'none' },
      guardianPid: null,
      lagMsMax: 0,
      journalSeq: 1,
      journalRefused: 0,
    },
    cells: [
      {
        id: 'edge',
        pid: process.pid,
        state: 'online',
        incarnation: 1,
        rssBytes: null,
        cpuPercent: null,
        kernels: kernels.map(({ id }) => id),
      },
    ],
    kernels: kernels.map((kernel) => ({
      title: kernel.id,
      state: 'running',
      cell: 'edge',
      tid: process.pid,
      incarnation: 1,
      restarts: 0,
      readyMs: 10,
      heartbeatAgeMs: 50,
      cpuPercent: 0,
      heapBytes: 0,
      externalBytes: 0,
      elu: 0,
      condition: 'healthy',
      limits: MANIFEST_DEFAULTS.limits,
      throttled: false,
      cap: null,
      quarantined: false,
      needs: [],
      logs: 0,
      lastProbe: null,
      error: null,
      ...kernel,
    })),
    bus: {
      accepted: 0,
      handled: 0,
      rejected: 0,
      expired: 0,
      deadLettered: 0,
      waiting: 0,
      denied: 0,
      muted: [],
      violations: [],
      unbalanced: [],
    },
    ...more,
  };
}
