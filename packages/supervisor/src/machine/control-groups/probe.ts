import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import type { CpuMethod } from '@grace/contracts';
import { type GroupFiles, systemGroupFiles } from './group-files.ts';
import type { MemoryGround } from './memory-groups.ts';
import { type OwnGroups, ownGroups } from './own-groups.ts';
import { type CpuGround, type ProofParts, proveCells2, proveCgroup1, proveMemory1, proveThreads2 } from './prove.ts';

/** What this machine lets this process limit, shown by doing it once. */
export interface LimitGround {
  method: CpuMethod;
  /** Where `method` is one of control groups. */
  cpu: CpuGround | null;
  /** Null: no hard limit of a host process's memory. */
  memory: MemoryGround | null;
  /** Why what was tried does not work. */
  refused: Partial<Record<'cgroup2' | 'cgroup1' | 'inspector' | 'memory', string>>;
}

export interface ProbeParts {
  own: OwnGroups;
  files: GroupFiles;
  proof: Omit<ProofParts, 'files'>;
  inspector(): Promise<void>;
}

/**
 * The first way of holding a thread that works: control groups of v2, of v1, pausing by inspector, none. Nothing is believed that was not
 * written and read back. Takes 20-60 ms with control groups. Never rejects.
 */
export async function probeLimits(parts: ProbeParts = systemParts): Promise<LimitGround> {
  const { own } = parts;
  const proof: ProofParts = { ...parts.proof, files: parts.files };
  const refused: LimitGround['refused'] = {};
  const attempt = async <T>(name: keyof typeof refused, work: () => Promise<T>): Promise<T | null> => {
    try {
      return await work();
    } catch (error) {
      refused[name] = (error as Error).message;
      return null;
    }
  };
  const cpu =
    (await attempt('memory', () => proveCells2(proof, own.unified))) ??
    (await attempt('cgroup2', () => proveThreads2(proof, own.unified))) ??
    (await attempt('cgroup1', () => proveCgroup1(proof, own.cpu)));
  const memory: MemoryGround | null =
    cpu?.layout === 'cells'
      ? { version: 2, base: cpu.base }
      : await attempt('memory', async () => {
          // In a machine with v2 alone, its reason is the one that helps.
          if (own.memory === null && own.unified !== null) throw new Error(refused.memory);
          return await proveMemory1(proof, own.memory);
        });
  if (memory !== null) delete refused.memory;
  if (cpu !== null) return { method: cpu.method, cpu, memory, refused };
  const byInspector = await attempt('inspector', async () => {
    await parts.inspector();
    return true;
  });
  return { method: byInspector ? 'inspector' : 'none', cpu: null, memory, refused };
}

/** Whether threads of this process can be paused from its main thread. */
async function proveInspector(): Promise<void> {
  if (!process.features.inspector) throw new Error('this Node was built without an inspector');
  const { Session } = await import('node:inspector/promises');
  const session = new Session();
  session.connect();
  try {
    await session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
    await session.post('NodeWorker.disable');
  } finally {
    session.disconnect();
  }
}

const systemParts: ProbeParts = {
  get own() {
    return ownGroups();
  },
  files: systemGroupFiles,
  proof: {
    tid() {
      const other = readdirSync('/proc/self/task')
        .map(Number)
        .find((tid) => tid !== process.pid);
      if (other === undefined) throw new Error('this process has no second thread to try it with');
      return other;
    },
    async startIdle() {
      // It ends with its standard input, whatever becomes of this process.
      const child = spawn('sh', ['-c', 'read _'], { stdio: ['pipe', 'ignore', 'ignore'] });
      await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
      child.stdin.on('error', () => {});
      return { pid: child.pid!, end: () => void child.kill('SIGKILL') };
    },
  },
  inspector: proveInspector,
};
