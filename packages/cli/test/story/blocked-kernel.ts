import { MATE, WORKER, WrittenJournal } from '../written-journal.ts';

const BLOCKED = { heartbeatAgeMs: 700, elu: 1, stuckMs: 400, cpuMs: 1, runDelayMs: 4 };

/** A kernel in a native call: it is asked, told to end, does not, its process is killed, and it moves out. */
export function blockedKernel(): WrittenJournal {
  const journal = new WrittenJournal();
  journal.at(90, 'kernel:ready', { readyMs: 80, probe: {} }, WORKER);
  journal.at(
    5000,
    'kernel:condition',
    { from: 'healthy', to: 'late', confidence: 0.5, evidence: { heartbeatAgeMs: 300, elu: 1 } },
    WORKER,
  ); // 3
  journal.at(5400, 'kernel:condition', { from: 'late', to: 'blocked', confidence: 0.97, evidence: BLOCKED }, WORKER);
  journal.open(5400, { id: 'inc-1', kind: 'kernel_hung', subject: 'worker', cell: 'user' }, WORKER); // 5
  journal.at(
    5400,
    'detector:fire',
    { method: 'heartbeat', incident: 'inc-1', subject: 'worker', evidence: BLOCKED },
    WORKER,
  );
  journal.at(
    5560,
    'detector:fire',
    { method: 'probe', incident: 'inc-1', subject: 'worker', evidence: { unansweredMs: 160 } },
    WORKER,
  );
  journal.at(
    5560,
    'kernel:state',
    { from: 'running', to: 'stopping', reason: 'blocked: no heartbeat for 860 ms' },
    WORKER,
  ); // 8
  journal.at(
    6600,
    'kernel:stuck',
    { rung: 'terminate did not return', evidence: { next: 'SIGKILL of the cell', mates: ['mate'] } },
    WORKER,
  );
  journal.at(6600, 'kernel:move', { from: 'user', to: 'solo_worker', why: 'solitary' }, WORKER); // 10
  journal.at(
    6610,
    'cell:exit',
    { pid: 70, code: null, signal: 'SIGKILL', expected: true, kernels: ['worker', 'mate'] },
    { cell: 'user' },
  );
  journal.at(6610, 'kernel:restart', { cause: 'hung', attempt: 1, delayMs: 0, by: 'restart engine' }, WORKER); // 12
  journal.at(6610, 'kernel:state', { from: 'running', to: 'backoff', reason: 'its cell user ended' }, MATE);
  journal.at(
    6900,
    'kernel:state',
    { from: 'probing', to: 'running', reason: 'its functional probe has answered' },
    { ...MATE, incarnation: 2 },
  );
  journal.at(
    6950,
    'kernel:ready',
    { readyMs: 340, probe: {} },
    { kernel: 'worker', cell: 'solo_worker', incarnation: 2 },
  ); // 15
  journal.at(6950, 'incident:close', { id: 'inc-1', outcome: 'the kernel is ready again' }, { kernel: 'worker' });
  return journal;
}
