/**
 * @module
 * What tests of several packages share: kernels hosted with real parts, and waiting by condition.
 */
export { type KernelRig, type RigOptions, rigKernels } from './kernel-rig.ts';
export { poll } from './poll.ts';
