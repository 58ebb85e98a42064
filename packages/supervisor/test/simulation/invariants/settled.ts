import type { KernelState } from '@grace/contracts';
import type { Environment } from '../environment.ts';
import { excusedByNeeds, leansInVain } from './excuse.ts';
import { type Invariant, Violation } from './invariant.ts';

const AT_REST: ReadonlySet<KernelState> = new Set<KernelState>(['running', 'failed', 'quarantined', 'stopped']);
const INCURABLE = new Set(['KERNEL_MISSING', 'KERNEL_INVALID', 'STORAGE_FULL']);

/** Every kernel that is wanted is, long after the last fault, ready and doing its job, or given up with a reason. */
export function settled(env: Environment): Invariant {
  const quarantined = new Set<string>();
  const paused = new Set<string>();
  const ended = new Set<string>();

  const excuse = (id: string): boolean => {
    const { state, error, manifest } = env.state.kernels[id]!;
    if (state === 'quarantined') return quarantined.has(id);
    // Who is paused while it is failed stays as it is.
    if (paused.has(id)) return true;
    if (state === 'stopped') return manifest.restart.class === 'transient' && ended.has(id);
    if (manifest.restart.class === 'temporary' || !env.state.safeguards.restartEngine) return true;
    if (error?.code === 'NEEDS_FAILED')
      return manifest.needs.some((need) => env.state.kernels[need]!.state !== 'running');
    return error !== null && INCURABLE.has(error.code);
  };

  return {
    event(event) {
      if (event.t === 'pause') paused.add(event.kernel);
      else if (event.t === 'exited' && event.code === 0) ended.add(event.kernel);
      // One that is isolated where it is stays paused.
      else if ('by' in event && event.t !== 'throttle' && event.t !== 'isolate') paused.delete(event.kernel);
    },
    command(command) {
      if (command.do === 'journal' && command.draft.name === 'kernel:quarantine')
        quarantined.add(command.draft.kernel!);
      else if (command.do === 'load') quarantined.delete(command.kernel);
    },
    end() {
      for (const [id, kernel] of Object.entries(env.state.kernels)) {
        const { state, error } = kernel;
        if (leansInVain(env, id)) continue;
        if (!AT_REST.has(state))
          throw new Violation(
            'not_settled',
            env.now,
            `${id} is still ${state}: ${error?.message ?? 'no reason known'}`,
          );
        if (state !== 'running') {
          if (!excuse(id))
            throw new Violation(
              'not_settled',
              env.now,
              `${id} is ${state} without a reason that holds: ${error ? `${error.code}: ${error.message}` : 'none given'}`,
            );
          continue;
        }
        const found = env.threadOf(id);
        if (!found || found.thread.incarnation !== kernel.incarnation)
          throw new Violation('not_settled', env.now, `${id} is called running, but its thread is not there`);
        if (!found.thread.well && !excusedByNeeds(env, id))
          throw new Violation(
            'hang_not_noticed',
            env.now,
            `${id} is called running, but does not do its job: ${found.thread.trouble ?? 'its process stands still'}`,
          );
      }
    },
  };
}

/** Whether everything has come to rest: nothing would change any more if time went on. */
export function atRest(env: Environment): boolean {
  if (env.supervisor === null) return false;
  for (const id in env.state.kernels) {
    const { state, solitary, cell } = env.state.kernels[id]!;
    if (leansInVain(env, id)) continue;
    if (!AT_REST.has(state)) return false;
    if (state !== 'running') continue;
    if (
      (solitary !== null && solitary.from !== cell) ||
      (env.threadOf(id)?.thread.well !== true && !excusedByNeeds(env, id))
    )
      return false;
  }
  for (const id in env.state.cells) if (env.state.cells[id]!.state === 'starting') return false;
  return Object.values(env.state.incidents).every(({ subject, kind }) => {
    if (env.state.kernels[subject] && leansInVain(env, subject)) return true;
    const state = env.state.kernels[subject]?.state;
    return kind === 'quarantine' || (state !== undefined && state !== 'running');
  });
}
