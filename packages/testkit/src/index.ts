/**
 * @module
 * What tests of several packages share: kernels hosted with real parts, whole systems of real processes, and waiting by condition.
 */
export { type KernelRig, type RigOptions, rigKernels } from './kernel-rig.ts';
export { poll } from './poll.ts';
export { type Ended, openSite, type Site, type SiteOptions, type Started } from './site.ts';
export { bootSystem, type Calls, callThroughout, type System, type SystemOptions } from './system.ts';
