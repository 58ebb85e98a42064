// Which test files run beside which. Each list is in the order of running: what takes long begins early, so that no core idles at the end.
import { globSync } from 'node:fs';
import { root } from './setup.mjs';

/** Mostly wait: for holds, deadlines and silences. They run one after the other beside those that compute, so that no core idles meanwhile. */
const PATIENT = [
  'packages/supervisor/test/hostile/full-machine.test.ts',
  'packages/supervisor/test/hostile/hostile.test.ts',
  'packages/supervisor/test/hostile/ordinary-user.test.ts',
  'packages/cli/test/oracle.test.ts',
  'packages/cli/test/oracle-of-storage.test.ts',
  'packages/chaos/src/main.test.ts',
  'packages/supervisor/test/hostile/nobody-is-restarted.test.ts',
  'packages/supervisor/test/service.test.ts',
  'packages/supervisor/test/stop.test.ts',
  'packages/supervisor/test/hostile/mayfly.test.ts',
  'packages/chaos/src/check/hang-and-leak.test.ts',
  'packages/kernels/src/self_healing/playbooks.test.ts',
  'packages/supervisor/test/hostile/blocked-agent.test.ts',
  'packages/kernels/src/api_server/events/events.test.ts',
  'packages/kernels/src/scheduler/kernel.test.ts',
];

/** Take longest of those that compute. */
const LONG = [
  'packages/supervisor/test/simulation/simulation.test.ts',
  'packages/ledger/src/failure.test.ts',
  'packages/cli/test/pages.test.ts',
  'packages/ledger/src/kill.test.ts',
  'packages/cli/test/stress.test.ts',
  'packages/cli/test/system.test.ts',
  'packages/cli/test/inside.test.ts',
  'packages/supervisor/test/limits.test.ts',
  'packages/supervisor/test/boot.test.ts',
];

/** Judge whether a whole system holds, so nothing runs beside them. */
const ALONE = ['packages/cli/test/holds.test.ts'];

/**
 * What runs one after the other: of each, the lanes that run beside each other, as files, and how many of them at once.
 * @throws Error when a file that is listed here is not there: it was moved, and would silently lose its place
 */
export function stages() {
  const all = globSync('packages/*/{src,test}/**/*.test.ts', { cwd: root }).sort();
  const lost = [...PATIENT, ...LONG, ...ALONE].filter((file) => !all.includes(file));
  if (lost.length > 0) throw new Error(`scripts/lanes.mjs names files that are not there: ${lost.join(', ')}`);
  const listed = new Set([...PATIENT, ...LONG, ...ALONE]);
  return [
    [
      { files: [...LONG, ...all.filter((file) => !listed.has(file))], concurrency: 2 },
      { files: PATIENT, concurrency: 1 },
    ],
    [{ files: ALONE, concurrency: 1 }],
  ];
}
