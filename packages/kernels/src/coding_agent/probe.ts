import { mkdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromWireError, GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Candidate, RepairTask } from './change/candidate.ts';
import { unifiedDiff } from './change/diff.ts';
import { exchange } from './change/exchange.ts';
import type { FileKind } from './languages/examine.ts';
import type { Finding } from './scan/finding.ts';
import type { TaskQueue } from './tasks/queue.ts';
import type { Answer, Work } from './workshop/work.ts';
import type { Workshop } from './workshop/workshop.ts';

interface Planted {
  files: Readonly<Record<string, string>>;
  /** Where the defect is found, and what it is called. */
  file: string;
  rule: string;
  /** The one right patch. */
  strategy: string;
  diff: string;
}

type Part = 'json' | 'python' | 'typescript';

/** A tiny source for each of the three ways a finding comes about and is mended, with one defect in it. */
export const PLANTED: Readonly<Record<Part, Planted>> = {
  json: {
    files: { 'lamp.json': '{\n  "turns": 2,\n  "miles": 20,\n}\n' },
    file: 'lamp.json',
    rule: 'json-trailing-comma',
    strategy: 'syntax:trailing-comma',
    diff: '--- a/lamp.json\n+++ b/lamp.json\n@@ -1,4 +1,4 @@\n {\n   "turns": 2,\n-  "miles": 20,\n+  "miles": 20\n }\n',
  },
  python: {
    files: { 'lamp.py': 'import os\nimport sys\n\nprint(sys.argv)\n' },
    file: 'lamp.py',
    rule: 'F401',
    strategy: 'ruff:F401',
    diff: '--- a/lamp.py\n+++ b/lamp.py\n@@ -1,4 +1,3 @@\n-import os\n import sys\n \n print(sys.argv)\n',
  },
  typescript: {
    files: {
      'tsconfig.json': '{ "compilerOptions": { "strict": true, "lib": ["es5"], "types": [] }, "include": ["*.ts"] }\n',
      'record.ts': 'export function append(entry: { actor: string }): string {\n  return entry.actor;\n}\n',
      'caller.ts': "import { append } from './record';\n\nappend({ actor: 'lamp', subsystem: 'tower' });\n",
    },
    file: 'caller.ts',
    rule: 'ts2353',
    strategy: 'codemod:add-parameter',
    diff: '--- a/record.ts\n+++ b/record.ts\n@@ -1,3 +1,3 @@\n-export function append(entry: { actor: string }): string {\n+export function append(entry: { actor: string; subsystem?: string }): string {\n   return entry.actor;\n }\n',
  },
};

/**
 * Ruff and the compiler cost a process 0.5 and 1 s of CPU and up to 300 MB, so they are not tried by the first probe, which boot waits for, nor
 * by every one.
 */
const FIRST_MS: Readonly<Record<Part, number>> = { json: 0, python: 30_000, typescript: 60_000 };
const EVERY_MS: Readonly<Record<Part, number>> = { json: 0, python: 600_000, typescript: 1_800_000 };
/** No principal has such a name. */
export const PROBE = '.probe';
const LIMITS = { maxFiles: 10, maxBytes: 100_000, maxFileBytes: 10_000, ruff: ['F'] };
const DEADLINE_MS = 14_000;

export interface ProbeParts {
  ctx: Pick<KernelContext, 'clock' | 'signal' | 'stateDir'>;
  workshop: Pick<Workshop, 'probe' | 'broke'>;
  /** The durable queue, told to nobody. */
  queue: TaskQueue;
  firstMs?: Partial<Record<Part, number>>;
}

/**
 * The agent's job once: a planted defect is found, the right patch proposed, and proved. JSON each time, in this thread, and through the durable queue; in the workshop, as all
 * work is, Python after 30 s, then every 10 min and whenever a thread or process of it died since; TypeScript after 1 min and then every
 * 30 min. `status` says when each was tried last.
 */
export function createProbe({ ctx, workshop, queue, firstMs = {} }: ProbeParts) {
  const startMono = ctx.clock.monoMs();
  const dueMono = new Map<Part, number>(
    (Object.keys(PLANTED) as Part[]).map((part) => [part, startMono + (firstMs[part] ?? FIRST_MS[part])]),
  );
  const tried = new Map<Part, { at: string; tookMs: number }>();

  let broke = workshop.broke();

  const attempt = async (part: Part): Promise<void> => {
    const began = ctx.clock.monoMs();
    const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(DEADLINE_MS)]);
    const planted = PLANTED[part];
    const root = await plant(join(ctx.stateDir, 'probe', part), planted);
    const place = part === 'json' ? here : (workshop.probe as Place);
    const found = await look(place, root, part, planted, signal);
    const finding = found.find(({ rule, file }) => rule === planted.rule && file === planted.file);
    if (!finding || found.length !== 1)
      throw broken(
        `${planted.file} has one planted ${planted.rule}; found: ${found.map(({ rule }) => rule).join(', ') || 'nothing'}`,
      );
    const task: RepairTask = {
      ...LIMITS,
      root,
      bounds: [root],
      signature: finding.signature,
      file: finding.file,
      scope: 'finding',
    };
    const { candidates } = await place('propose', task, signal);
    const [first] = candidates;
    const diff = first?.files.map(({ file, before, after }) => unifiedDiff(file, before, after)).join('') ?? '';
    if (!first || first.strategy !== planted.strategy || diff !== planted.diff)
      throw broken(
        `${planted.rule} was to be mended by ${planted.strategy}; proposed: ${first?.strategy ?? 'nothing'} ${JSON.stringify(diff)}`,
      );
    const proof = await place('prove', { ...task, finding, candidate: first }, signal);
    if (!proof.isGone || proof.fresh.length > 0)
      throw broken(`the right patch for ${planted.rule} was not taken for one: ${JSON.stringify(proof)}`);
    const spoilt = { ...first, files: first.files.map((file) => ({ ...file, after: file.before })) };
    const { isGone } = await place('prove', { ...task, finding, candidate: spoilt }, signal);
    if (isGone) throw broken(`a patch that mends nothing was taken for one that does: ${planted.rule}`);
    if (part === 'json') keep(queue, root, finding, first);
    tried.set(part, { at: new Date(ctx.clock.wallMs()).toISOString(), tookMs: Math.round(ctx.clock.monoMs() - began) });
  };

  return {
    async run(): Promise<Record<string, unknown>> {
      const now = ctx.clock.monoMs();
      if (workshop.broke() !== broke) dueMono.set('python', now);
      broke = workshop.broke();
      const parts = [...dueMono.keys()].filter((part) => dueMono.get(part)! <= now);
      for (const part of parts) {
        await attempt(part);
        dueMono.set(part, now + EVERY_MS[part]);
      }
      return { tried: parts, last: Object.fromEntries(tried) };
    },
    tried: () =>
      Object.fromEntries((Object.keys(PLANTED) as Part[]).map((part) => [part, tried.get(part) ?? 'not tried yet'])),
  };
}

/** Where a piece of work is done: in the workshop, or by the same code in this thread, at no cost. */
type Place = <K extends keyof Work>(name: K, task: Work[K][0], signal: AbortSignal) => Promise<Work[K][1]>;

const here: Place = async (name, task) => {
  const work = (await import('./workshop/perform.ts'))[name] as (given: unknown) => Promise<Answer<never>>;
  const answer = await work(task);
  if ('error' in answer) throw fromWireError(answer.error);
  return answer.value;
};

/**
 * Takes a task through its states to one that is verified, reads it back from the store, and takes it out. Without a pause, so nobody else sees
 * it; what a life that was killed here has left goes at the next start.
 */
function keep(queue: TaskQueue, root: string, finding: Finding, candidate: Candidate): void {
  try {
    const { task } = queue.submit({
      finding: { ...finding, root, places: 1 },
      ...{ scope: 'finding', priority: 0, why: null, by: PROBE },
    });
    queue.move(task.id, 'analysing');
    queue.move(task.id, 'proposed', {}, () => queue.keepPatches(task.id, candidate.files));
    queue.move(task.id, 'verified');
    const kept = queue.get(task.id);
    const [patch] = queue.patches(task.id);
    const { before, after } = candidate.files[0]!;
    if (kept.state !== 'verified' || !patch || exchange(before, patch.exchanges, 'apply') !== after)
      throw broken(`a task that was verified is ${kept.state} in the store`);
  } finally {
    queue.discard(PROBE);
  }
}

async function plant(folder: string, { files }: Planted): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    if ((await readFile(path, 'utf8').catch(() => null)) !== text) await writeFile(path, text);
  }
  return await realpath(folder);
}

async function look(
  place: Place,
  root: string,
  part: Part,
  { file }: Planted,
  signal: AbortSignal,
): Promise<Finding[]> {
  if (part === 'typescript') {
    const judged = await place('check', { ...LIMITS, root, bounds: [root], known: {} }, signal);
    return judged.flatMap((one) => (one.same ? [] : one.findings));
  }
  const kind: FileKind = part;
  const judged = await place('examine', { ...LIMITS, root, files: [{ file, kind, hash: null }] }, signal);
  return judged.flatMap((one) => ('error' in one || one.same ? [] : one.findings));
}

function broken(what: string): GraceError {
  return new GraceError('INTERNAL', `coding_agent does not do its job: ${what}`);
}
