import { createHash, randomUUID } from 'node:crypto';
import { didYouMean, GraceError, type VerbMeta } from '@grace/contracts';
import { is, readInput, type Verb } from '@grace/kernel-sdk';
import type { Evaluated } from './evaluate/evaluation.ts';
import type { Evaluator } from './evaluate/evaluator.ts';
import type { Executor } from './execute/executor.ts';
import { isolationOf, type Launch } from './execute/launch.ts';
import { type ExecuteRequest, readExecute, runId } from './execute/request.ts';
import type { Gate } from './gate.ts';
import type { Records } from './runs/records.ts';
import { RUN_KINDS, RUN_STATES, type Run } from './runs/run.ts';
import type { Asked, Outcome, Runner } from './runs/runner.ts';
import type { Settings } from './settings.ts';

const CODE_LENGTH = 256 * 1024;
const INPUT_LENGTH = 1024 ** 2;
const RUNS_SHOWN = 500;

export interface SandboxParts {
  settings: Settings;
  records: Records;
  runner: Runner;
  evaluator: Evaluator;
  executor: Executor;
  gates: { evaluate: Gate; execute: Gate };
}

export function createVerbs(parts: SandboxParts): Record<string, Verb> {
  const { settings, records, runner, evaluator, executor, gates } = parts;

  return {
    evaluate: (input, { from }) => evaluateSnippet(parts, input, from),
    async execute(input, { from }: VerbMeta) {
      const request = readExecute(input, settings.commands);
      const id = request.id ?? newId();
      const asked = askedFor(request, id, from);
      gates.execute.check();
      if (request.network && !settings.network.includes(from)) {
        const place = 'kernels.sandbox.config.network';
        throw runner.refuse(
          asked,
          new GraceError('FORBIDDEN', `${from} may not run programs with network; ${place} names who may`),
        );
      }
      const launch: Launch = await executor.plan(request, id).catch((error) => {
        throw error instanceof GraceError && error.code === 'SANDBOX_ISOLATION' ? runner.refuse(asked, error) : error;
      });
      return runner.run({ ...asked, isolation: { ...launch.isolation } }, gates.execute, (signal) =>
        executor.execute(request, launch, signal, (pid, start) => records.process(id, pid, start)),
      );
    },
    async cancel(input, { from }: VerbMeta) {
      const { id } = readInput(input, { id: is.string({ max: 64 }) });
      const asker = runner.asker(id);
      if (asker === undefined) {
        const known = records.one(id);
        if (known) throw new GraceError('CONFLICT', `run "${id}" has ended: ${known.state}`, { state: known.state });
        throw unknown(records, id);
      }
      if (asker !== from && !settings.operators.includes(from)) {
        throw new GraceError('FORBIDDEN', `run "${id}" was asked for by ${asker}; ${from} may not cancel it`);
      }
      await runner.cancel(id, `${from} cancelled the run`);
      return { id, cancelled: true };
    },
    runs(input) {
      const given = readInput(input, {
        id: is.optional(is.string({ max: 64 })),
        kind: is.optional(is.oneOf(RUN_KINDS)),
        state: is.optional(is.oneOf(RUN_STATES)),
        limit: is.optional(is.number({ min: 1, max: RUNS_SHOWN, integer: true })),
      });
      if (given.id === undefined) return records.list({ ...given, limit: given.limit ?? 50 }).map(shownRun);
      const run = records.one(given.id);
      if (!run) throw unknown(records, given.id);
      return [shownRun(run)];
    },
    async status(input) {
      readInput(input, {});
      const found = await executor.mechanisms();
      return {
        runs: records.counts(),
        evaluate: { ...gates.evaluate.load(), threads: await evaluator.threads() },
        execute: gates.execute.load(),
        commands: ['node', ...settings.commands],
        isolation: {
          mechanisms: found.list,
          node: isolationOf(true, false, found),
          others: isolationOf(false, false, found),
        },
      };
    },
  };
}

/** @throws GraceError of the border, or what `Runner.run` throws */
export async function evaluateSnippet(parts: SandboxParts, input: unknown, from: string) {
  const given = readInput(input, {
    id: runId,
    code: is.string({ max: CODE_LENGTH }),
    input: is.unknown(),
    timeoutMs: is.optional(is.number({ min: 1, max: 60_000, integer: true })),
    memoryBytes: is.optional(is.number({ min: 18 * 1024 ** 2, max: 512 * 1024 ** 2, integer: true })),
    outputLength: is.optional(is.number({ min: 1, max: 512 * 1024, integer: true })),
  });
  const limits = {
    timeoutMs: given.timeoutMs ?? 1000,
    memoryBytes: given.memoryBytes ?? 32 * 1024 ** 2,
    outputLength: given.outputLength ?? 64 * 1024,
  };
  const text = inputText(given.input);
  const asked: Asked = {
    ...{ id: given.id ?? newId(), kind: 'evaluate', by: from, hash: sha256(given.code), what: 'snippet', limits },
    isolation: { engine: 'quickjs' },
  };
  return parts.runner.run(asked, parts.gates.evaluate, async (signal) =>
    ending(await parts.evaluator.evaluate({ code: given.code, input: text, ...limits }, signal)),
  );
}

function ending(evaluated: Evaluated): Outcome<Record<string, unknown>> {
  const { state, console, memoryBytes } = evaluated;
  const outputBytes = console.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
  if (state === 'ok') return { state, outputBytes, answer: { value: evaluated.value, console, memoryBytes } };
  const { message, line } = evaluated;
  const error = line === null ? message : `line ${line}: ${message}`;
  return {
    state,
    outputBytes,
    isTruncated: state === 'output',
    error,
    answer: { line, message, console, memoryBytes },
  };
}

function inputText(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value ?? null);
  } catch (error) {
    throw new GraceError('BAD_INPUT', `input.input: expected what JSON can say: ${(error as Error).message}`);
  }
  if (text === undefined)
    throw new GraceError('BAD_INPUT', `input.input: expected what JSON can say, got a ${typeof value}`);
  if (text.length > INPUT_LENGTH)
    throw new GraceError('TOO_LARGE', `input.input: at most ${INPUT_LENGTH} characters of JSON, got ${text.length}`);
  return text;
}

function askedFor(request: ExecuteRequest, id: string, by: string): Asked {
  const { command, args, files, stdin, limits } = request;
  const hash = sha256(JSON.stringify([command, args, [...files], stdin]));
  return { id, kind: 'execute', by, hash, what: command, limits: { ...limits }, isolation: {} };
}

function shownRun(run: Run): Record<string, unknown> {
  const { askedMs, startedMs, endedMs, ...rest } = run;
  const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
  const durationMs = startedMs === null || endedMs === null ? null : endedMs - startedMs;
  return { ...rest, asked: iso(askedMs), started: iso(startedMs), ended: iso(endedMs), durationMs };
}

function unknown(records: Records, id: string): GraceError {
  return new GraceError('NOT_FOUND', `there is no run "${id}"${didYouMean(id, records.ids())}`, { id });
}

function newId(): string {
  return `run-${randomUUID()}`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
