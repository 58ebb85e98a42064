import { type Clock, didYouMean, GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import type { PatchFile, Scope } from '../change/candidate.ts';
import { type Exchange, exchangesOf } from '../change/exchange.ts';
import type { KeptFinding } from '../scan/findings-store.ts';
import { type KeptPatch, NEXT, type Task, type TaskState, taskId } from './task.ts';

/** Tasks that are not done; more are refused. */
const OPEN_MAX = 5000;
/** Tasks that are kept; the oldest of those that are done go first. */
const KEPT_MAX = 20_000;
const STEPS_MAX = 50;
/** Submitted again, these begin anew. */
const DONE: readonly TaskState[] = ['applied', 'failed', 'reverted'];

export interface Submission {
  finding: KeptFinding;
  scope: Scope;
  priority: number;
  why: string | null;
  by: string;
}

export type TaskQueue = ReturnType<typeof createTaskQueue>;

/** The durable queue. Every change of state is one transaction; what was asked for is on disk before it is answered. */
export function createTaskQueue(store: KernelStore, clock: Clock, onChange: (task: Task) => void) {
  const { db } = store;
  const one = db.prepare('SELECT task FROM tasks WHERE id = ?');
  const upsert = db.prepare(
    'INSERT OR REPLACE INTO tasks (id, state, priority, submittedMs, task) VALUES (?, ?, ?, ?, ?)',
  );
  const next = db.prepare(
    "SELECT task FROM tasks WHERE state = 'queued' ORDER BY priority DESC, submittedMs, id LIMIT 1",
  );
  const inState = db.prepare('SELECT task FROM tasks WHERE state = ? ORDER BY submittedMs');
  const newest = db.prepare(
    'SELECT task FROM tasks WHERE (? IS NULL OR state = ?) ORDER BY submittedMs DESC, id LIMIT ?',
  );
  const counts = db.prepare('SELECT state, count(*) AS n FROM tasks GROUP BY state');
  const addPatch = db.prepare('INSERT INTO patches VALUES (?, ?, ?, ?, ?)');
  const patches = db.prepare('SELECT file, exchanges, beforeHash, afterHash FROM patches WHERE task = ? ORDER BY file');
  const dropPatches = db.prepare('DELETE FROM patches WHERE task = ?');
  const trim = db.prepare(
    `DELETE FROM tasks WHERE id IN (
       SELECT id FROM tasks WHERE state IN ('failed', 'reverted', 'applied') ORDER BY submittedMs LIMIT max(0, (SELECT count(*) FROM tasks) - ?))`,
  );
  const dropOrphans = db.prepare('DELETE FROM patches WHERE task NOT IN (SELECT id FROM tasks)');
  const discard = db.prepare("DELETE FROM tasks WHERE json_extract(task, '$.by') = ?");
  const nowMs = (): number => Math.round(clock.wallMs());

  const read = (row: unknown): Task => JSON.parse((row as { task: string }).task) as Task;
  const write = (task: Task): void =>
    void upsert.run(task.id, task.state, task.priority, task.submittedMs, JSON.stringify(task));
  const stateCounts = (): Record<string, number> =>
    Object.fromEntries((counts.all() as { state: string; n: number }[]).map(({ state, n }) => [state, n]));

  const queue = {
    /** @throws GraceError `NOT_FOUND` with the nearest id */
    get(id: string): Task {
      const row = one.get(id);
      if (row) return read(row);
      const ids = (db.prepare('SELECT id FROM tasks LIMIT 5000').all() as { id: string }[]).map((known) => known.id);
      throw new GraceError('NOT_FOUND', `there is no task "${id}"${didYouMean(id, ids)}`, { id });
    },
    list: (state: TaskState | undefined, limit: number) => newest.all(state ?? null, state ?? null, limit).map(read),
    inState: (state: TaskState) => inState.all(state).map(read),
    next(): Task | undefined {
      const row = next.get();
      return row && read(row);
    },
    counts: stateCounts,
    patches: (id: string): KeptPatch[] =>
      (patches.all(id) as unknown as (Omit<KeptPatch, 'exchanges'> & { exchanges: string })[]).map((one) => ({
        ...one,
        exchanges: JSON.parse(one.exchanges) as Exchange[],
      })),
    /** A task for the finding; one that is under way or waits to be applied already is answered as it is. */
    submit({ finding: { root, places: _places, ...finding }, scope, priority, why, by }: Submission): {
      task: Task;
      repeated: boolean;
    } {
      const id = taskId(root, finding.signature);
      const row = one.get(id);
      const known = row && read(row);
      if (known && !DONE.includes(known.state)) return { task: raised(known, priority), repeated: true };
      const open = stateCounts();
      if ((open['queued'] ?? 0) + (open['analysing'] ?? 0) + (open['proposed'] ?? 0) >= OPEN_MAX)
        throw new GraceError('CONFLICT', `${OPEN_MAX} tasks wait already; try again later`);
      const atMs = nowMs();
      const task: Task = {
        id,
        root,
        signature: finding.signature,
        finding,
        scope,
        priority,
        why,
        by,
        state: 'queued',
        attempt: (known?.attempt ?? 0) + 1,
        submittedMs: atMs,
        updatedMs: atMs,
        error: null,
        change: null,
        approval: null,
        steps: [...(known?.steps ?? []), { state: 'queued' as const, atMs }].slice(-STEPS_MAX),
      };
      store.transaction(() => {
        dropPatches.run(id);
        write(task);
        trim.run(KEPT_MAX);
        dropOrphans.run();
      });
      onChange(task);
      return { task, repeated: false };
    },
    /**
     * Changes the state, together with what `within` writes.
     * @throws GraceError `CONFLICT` when the state may not follow
     */
    move(id: string, state: TaskState, changes: Partial<Task> & { note?: string } = {}, within?: () => void): Task {
      const { note, ...rest } = changes;
      const task = store.transaction(() => {
        const before = queue.get(id);
        if (!NEXT[before.state].includes(state))
          throw new GraceError('CONFLICT', `task "${id}" is ${before.state}, which ${state} does not follow`, {
            state: before.state,
          });
        const atMs = nowMs();
        const steps = [...before.steps, { state, atMs, ...(note === undefined ? {} : { note }) }].slice(-STEPS_MAX);
        const after: Task = { ...before, ...rest, state, updatedMs: atMs, steps };
        write(after);
        within?.();
        return after;
      });
      onChange(task);
      return task;
    },
    /** Notes something about a task without a change of state. */
    note(id: string, changes: Pick<Partial<Task>, 'approval' | 'error'>): Task {
      return store.transaction(() => {
        const task = { ...queue.get(id), ...changes };
        write(task);
        return task;
      });
    },
    /** Takes out all tasks that were submitted by this principal, with their patches. */
    discard(by: string): void {
      store.transaction(() => {
        discard.run(by);
        dropOrphans.run();
      });
    },
    /** In the place of what was kept for the task; within a transaction. */
    keepPatches(id: string, files: readonly PatchFile[]): void {
      dropPatches.run(id);
      for (const { file, before, after, beforeHash, afterHash } of files)
        addPatch.run(id, file, JSON.stringify(exchangesOf(before, after)), beforeHash, afterHash);
    },
  };

  /** Asked for again with more weight, it comes earlier. */
  function raised(task: Task, priority: number): Task {
    if (priority <= task.priority) return task;
    const higher = { ...task, priority };
    store.transaction(() => write(higher));
    return higher;
  }
  return queue;
}
