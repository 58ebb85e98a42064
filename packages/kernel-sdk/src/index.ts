/**
 * @module
 * What runs inside a kernel's thread. A kernel is `defineKernel({ id, start })`; `start` gets a context and returns verbs, a functional
 * probe and, if it holds something, a drain.
 */
export { type Courier, createCourier } from './courier.ts';
export { askGovernance, type Question, requirePermit } from './governance/ask.ts';
export { type Decision, expectPermit, groundsOf } from './governance/decision.ts';
export { hearAll } from './hearing.ts';
export { type HostedKernel, type HostParts, hostKernel } from './host.ts';
export { is, readInput } from './input.ts';
export {
  type BrokerAccess,
  defineKernel,
  type KernelContext,
  type KernelDefinition,
  type KernelInstance,
  type KernelLog,
  type LeasedSecret,
  type SecretAccess,
  type SupervisorAccess,
  type Verb,
} from './kernel.ts';
export { createListeners, type Listeners } from './listeners.ts';
export { createStore, type KernelStore } from './store.ts';
