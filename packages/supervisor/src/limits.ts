/**
 * @module
 * What this machine lets a system limit, and the limits themselves, for `grace doctor`, which tries them on a thread of its own.
 */
export { createDutyCycle } from './cell/debugger/duty-cycle.ts';
export { createThreadDebugger } from './cell/debugger/thread-debugger.ts';
export { watchWorkers } from './cell/debugger/worker-session.ts';
export { createCpuLimits } from './cell/limits/cpu-limits.ts';
export type { ThreadHandle } from './cell/thread-handle.ts';
export { type LimitGround, probeLimits } from './machine/control-groups/probe.ts';
export { openSystemGroups } from './machine/control-groups/system-groups.ts';
