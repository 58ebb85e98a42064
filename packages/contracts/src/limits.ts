/** By what the CPU of a thread is limited; `none`: by nothing, and that is said. */
export type CpuMethod = 'cgroup2' | 'cgroup1' | 'inspector' | 'none';

export interface MemoryPressure {
  of: 'heap' | 'external' | 'cell';
  bytes: number;
  limitBytes: number;
  /** `bytes / limitBytes`; at 1 the kernel is restarted. */
  ratio: number;
}
