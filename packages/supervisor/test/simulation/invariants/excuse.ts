import type { Environment } from '../environment.ts';

/** Whether what it does not do can be put down to something it needs that is down: then nobody restarts it, and it waits. */
export function excusedByNeeds(env: Environment, id: string): boolean {
  const trouble = env.threadOf(id)?.thread.trouble;
  if (trouble !== 'wrong' && trouble !== 'deadlock') return false;
  return env.state.kernels[id]!.manifest.needs.some((need) => env.state.kernels[need]!.state !== 'running');
}

/** Whether its probe cannot pass because what it leans on is excused: it may be tried again for as long as its budget lasts. */
export function leansInVain(env: Environment, id: string): boolean {
  if (!env.schedule.topology.leaning.includes(id)) return false;
  return env.state.kernels[id]!.manifest.needs.some((need) => excusedByNeeds(env, need) || leansInVain(env, need));
}
