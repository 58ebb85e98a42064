import type { AnyRecord, RunResult, WaveResult } from '@grace/contracts';
import type { FixtureOptions } from './fixture-options.ts';
import { JournalWriter } from './journal-writer.ts';
import { firstWave, secondWave, workload } from './wave-fixture.ts';

export const KERNELS: readonly (readonly [id: string, cell: string])[] = [
  ['message_bus', 'core'],
  ['immutable_log', 'core'],
  ['health_monitor', 'core'],
  ['self_healing', 'repair'],
  ['memory_fusion', 'work'],
  ['librarian', 'work'],
  ['trigger_mesh', 'edge'],
];

export interface Fixture {
  records: AnyRecord[];
  result: RunResult;
  /** Sequence numbers by what they are. */
  seq: Record<string, number>;
}

/** A run of two waves and three trials, as a whole system would write it. */
export function runFixture(options: FixtureOptions = {}): Fixture {
  const journal = new JournalWriter();
  const seq: Record<string, number> = {};
  const word = (text: string) => (options.hostile === undefined ? text : `${text} ${options.hostile}`);
  boot(journal, seq, options, word);
  journal.wait(40);
  seq.run = journal.add('run:start', {
    run: 'r-7',
    seed: 7,
    command: 'grace stress --waves 2',
    version: '0.1.0',
    node: 'v26.10.0',
    cores: 2,
    commit: '0123456789abcdef0123456789abcdef01234567',
    dirty: false,
    waves: 2,
    trials: 1,
    scenarios: ['S01_heartbeat_pause', 'S02_acl_spam', 'S04_kernel_crash'],
  });
  workload(journal, null, 3, 0);
  const waves = [firstWave(journal, seq, options, word), secondWave(journal, seq, options, word)];
  workload(journal, null, 4, 0);
  if (options.interrupted !== true) end(journal, seq, options);
  return { records: journal.records, seq, result: fold(waves, options) };
}

function boot(
  journal: JournalWriter,
  seq: Record<string, number>,
  options: FixtureOptions,
  word: (t: string) => string,
) {
  const kernels = options.kernels ?? KERNELS;
  seq.boot = journal.add('system:boot', {
    pid: 4711,
    version: '0.1.0',
    node: 'v26.10.0',
    cores: 2,
    armed: true,
    kernels: kernels.map(([id]) => id),
    safeguards: { heartbeatDetector: true, mute: true, restartEngine: true, ...options.safeguards },
    ...(options.enforcement ? { enforcement: options.enforcement } : {}),
  });
  for (const [kernel, cell] of kernels) {
    journal.wait(12).add('kernel:state', { from: 'waiting', to: 'starting', reason: 'boot' }, { kernel, cell });
    if (kernel === options.failed) continue;
    const probe = kernel === 'self_healing' ? { playbooks: 3, note: word('no-op healed') } : { answered: true };
    seq[`ready ${kernel}`] = journal.add('kernel:ready', { readyMs: 212.4, probe }, { kernel, cell, incarnation: 1 });
    journal.add('kernel:state', { from: 'probing', to: 'running', reason: 'probe answered' }, { kernel, cell });
  }
  const failed =
    options.failed === undefined
      ? []
      : [{ kernel: options.failed, error: { code: 'KERNEL_START' as const, message: word('no such table') } }];
  const ready = kernels.length - failed.length;
  seq.ready = journal.add('system:ready', { ready, total: kernels.length, ms: 640, failed });
}

function end(journal: JournalWriter, seq: Record<string, number>, options: FixtureOptions) {
  const left = options.left ?? [];
  seq.end = journal.add('run:end', {
    interrupted: false,
    cleanup: { ok: left.length === 0, left },
    runnerLagMsMax: options.runnerLagMs ?? 12,
  });
  journal.wait(50).add('system:stop', { reason: 'end of the run' });
  for (const [kernel, cell] of KERNELS)
    journal.add('kernel:state', { from: 'running', to: 'stopped', reason: 'stop' }, { kernel, cell });
  journal.add('system:stopped', { left: [] });
}

function fold(waves: WaveResult[], options: FixtureOptions): RunResult {
  const trials = waves.flatMap((wave) => wave.trials);
  const of = (verdict: string) => trials.filter((trial) => trial.verdict === verdict).length;
  const total = (options.kernels ?? KERNELS).length;
  const exit = options.interrupted
    ? { code: 130, reason: 'interrupted' }
    : (options.left ?? []).length > 0
      ? { code: 3, reason: 'cleanup incomplete' }
      : of('broken') > 0
        ? { code: 1, reason: `${of('broken')} of ${trials.length} trials broken` }
        : of('inconclusive') > 0 || options.skipSecondWave
          ? { code: 2, reason: 'not everything could be found out' }
          : { code: 0, reason: 'all trials held' };
  const booted = total - (options.failed === undefined ? 0 : 1);
  return {
    waves,
    totals: {
      waves: waves.filter((wave) => wave.skipped === null).length,
      held: of('held'),
      broken: of('broken'),
      inconclusive: of('inconclusive'),
      successRate: trials.length === 0 ? null : of('held') / trials.length,
      kernelsBooted: booted,
      kernelsFinal: options.crash === 'lost' ? booted - 1 : booted,
      kernelsTotal: total,
      escalations: options.crash === 'lost' ? 1 : 0,
      falseRestarts: options.crash === 'broken' ? 1 : 0,
      lostMessages: trials.reduce((sum, trial) => sum + trial.messages.lost, 0),
    },
    silentDetectors: ['metric', 'log_activity', 'probe'],
    exit,
  };
}
