import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { type KernelStatus, MANIFEST_DEFAULTS, type StatusDocument } from '@grace/contracts';
import { Output } from './output.ts';
import { statusLines } from './status-lines.ts';

const kernel = (id: string, more: Partial<KernelStatus> = {}): KernelStatus => ({
  id,
  title: id,
  state: 'running',
  cell: 'repair',
  tid: 7,
  incarnation: 1,
  restarts: 12,
  readyMs: 80,
  heartbeatAgeMs: 100,
  cpuPercent: 100,
  heapBytes: 200e6,
  externalBytes: 55e6,
  elu: 0.1,
  condition: 'healthy',
  limits: MANIFEST_DEFAULTS.limits,
  throttled: false,
  cap: null,
  quarantined: false,
  needs: [],
  logs: 1,
  lastProbe: null,
  error: null,
  ...more,
});

function lines(kernels: KernelStatus[], system: Partial<StatusDocument['system']> = {}): string[] {
  const stream = new PassThrough() as unknown as NodeJS.WriteStream;
  const out = new Output({
    stdout: stream,
    stderr: stream,
    json: false,
    ascii: false,
    color: false,
    verbose: false,
    quiet: false,
  });
  const status: StatusDocument = {
    system: {
      state: 'running',
      ready: 1,
      total: 1,
      uptimeMs: 1000,
      pid: 123_456,
      home: '/srv/grace',
      armed: false,
      version: '0.1.0',
      enforcement: { cpu: 'cgroup2', memory: 'thread: heap and off-heap watched, restarted at the limit; '.repeat(3) },
      guardianPid: null,
      lagMsMax: 0,
      journalSeq: 1,
      journalRefused: 0,
      ...system,
    },
    cells: [
      {
        id: 'repair',
        pid: 4_000_000,
        state: 'starting',
        incarnation: 1,
        rssBytes: 900e6,
        cpuPercent: 100,
        kernels: kernels.map(({ id }) => id),
      },
    ],
    kernels,
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
  };
  return statusLines(status, out);
}

describe('a status', () => {
  test('of the longest built-in names, in any state and held to a limit, fits into 100 columns', () => {
    const states = ['running', 'quarantined', 'stopping', 'backoff'] as const;
    const told = lines(
      states.map((state) =>
        kernel('infrastructure_manager', {
          state,
          condition: 'spinning',
          cap: 0.125,
          cell: 'solo_infrastructure_manager',
        }),
      ),
    );
    assert.match(told.join('\n'), /^repair +starting +4000000 +900 MB +100 % +4$/m);
    for (const line of told) assert.ok(line.length <= 100, `${line.length}: ${line}`);
    assert.match(
      told.join('\n'),
      /infrastructure_manager +running +spinning +its own +12 +100 ms +100 % +12\.5 % +255 MB$/m,
    );
  });

  test('says which limits are enforced by what, and says none', () => {
    assert.match(lines([]).join('\n'), /^CPU limits: control groups \(v2\)$/m);
    const none = lines([], { enforcement: { cpu: 'none', memory: 'none' } }).join('\n');
    assert.match(none, /^CPU limits: none: no CPU limit is enforced on this machine$/m);
    assert.match(none, /^memory limits: none$/m);
  });

  test('names the guardian, or that there is none, and records that were lost', () => {
    assert.match(lines([])[0]!, /no guardian/);
    assert.match(lines([], { guardianPid: 77 })[0]!, /guardian pid 77/);
    assert.match(lines([], { journalRefused: 3 }).join('\n'), /the disk refused 3 records of the journal/);
  });

  test('of a kernel that is down shows no condition of its former life, and no figure that was not measured', () => {
    const [line] = lines([
      kernel('mate', {
        state: 'quarantined',
        condition: 'spinning',
        heartbeatAgeMs: null,
        cpuPercent: null,
        heapBytes: null,
      }),
    ]).filter((one) => one.startsWith('mate'));
    assert.match(line!, /^mate +quarantined +- +repair +12 +- +- +- +-$/);
  });
});
