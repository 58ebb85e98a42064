import type { Condition, IncidentKind } from '@grace/contracts';

/** What one hostile program does, and what is right to do about it. */
export interface HostileCase {
  /** The verb of programs.mjs. */
  verb: string;
  input?: object;
  title: string;
  /** The condition that must be named; null: the end of its thread speaks for itself. */
  condition: Condition | null;
  incident: IncidentKind;
  /** Why the kernel is restarted; null: it must not be. */
  cause: 'hung' | 'crash' | 'memory' | 'cell' | null;
  /** What it takes down: the softest that is sufficient. */
  costs: 'nothing' | 'thread' | 'cell';
  /** What is right as well, told apart by the incident: who is first is a race between V8, its process and the watch. */
  orElse?: readonly Outcome[];
  /** Whether its stack must be among the evidence, with this function in it. */
  stack?: RegExp;
}

export type Outcome = Pick<HostileCase, 'incident' | 'cause' | 'costs'>;

export const CASES: readonly HostileCase[] = [
  {
    verb: 'endless_loop',
    title: 'an endless loop',
    condition: 'spinning',
    incident: 'kernel_hung',
    cause: 'hung',
    costs: 'thread',
    stack: /programs\.mjs/,
  },
  {
    verb: 'catastrophic_regex',
    title: 'a catastrophic regular expression',
    condition: 'spinning',
    incident: 'kernel_hung',
    cause: 'hung',
    costs: 'thread',
  },
  {
    verb: 'atomics_wait',
    title: 'Atomics.wait',
    condition: 'blocked',
    incident: 'kernel_hung',
    cause: 'hung',
    costs: 'thread',
  },
  {
    verb: 'native_hash',
    title: 'pbkdf2Sync with a huge count',
    condition: 'spinning',
    incident: 'kernel_hung',
    cause: 'hung',
    costs: 'cell',
  },
  {
    verb: 'read_fifo',
    title: 'a blocking read of a FIFO',
    condition: 'blocked',
    incident: 'kernel_hung',
    cause: 'hung',
    costs: 'cell',
  },
  {
    verb: 'wait_for_child',
    title: "execSync('sleep 60')",
    condition: 'blocked',
    incident: 'kernel_hung',
    cause: 'hung',
    costs: 'cell',
  },
  {
    verb: 'microtask_loop',
    title: 'an endless microtask loop',
    condition: 'spinning',
    incident: 'kernel_hung',
    cause: 'hung',
    costs: 'thread',
    stack: /programs\.mjs/,
  },
  {
    verb: 'leak_slowly',
    title: 'a slow heap leak',
    condition: 'leaking',
    incident: 'memory_pressure',
    cause: 'memory',
    costs: 'thread',
  },
  {
    verb: 'leak_fast',
    title: 'a fast heap leak',
    condition: null,
    incident: 'memory_pressure',
    cause: 'memory',
    costs: 'thread',
  },
  {
    verb: 'leak_buffers',
    title: 'Buffers growing by 1 GB/s',
    condition: null,
    incident: 'memory_pressure',
    cause: 'memory',
    costs: 'thread',
  },
  {
    verb: 'allocate_at_once',
    title: 'one huge allocation that ends the process',
    condition: null,
    incident: 'cell_crash',
    cause: 'cell',
    costs: 'cell',
    orElse: [
      { incident: 'memory_pressure', cause: 'memory', costs: 'thread' },
      // Its thread could not be ended in time, so its cell was.
      { incident: 'memory_pressure', cause: 'memory', costs: 'cell' },
      { incident: 'kernel_crash', cause: 'crash', costs: 'thread' },
      // On a full machine the allocation, or the engine's last words, can hold the thread for as long as a hang.
      { incident: 'kernel_hung', cause: 'hung', costs: 'cell' },
      { incident: 'kernel_hung', cause: 'hung', costs: 'thread' },
    ],
  },
  {
    verb: 'segmentation_fault',
    title: 'SIGSEGV',
    condition: null,
    incident: 'cell_crash',
    cause: 'cell',
    costs: 'cell',
  },
  {
    verb: 'reject',
    title: 'an unhandled rejection',
    condition: 'dead',
    incident: 'kernel_crash',
    cause: 'crash',
    costs: 'thread',
  },
];
