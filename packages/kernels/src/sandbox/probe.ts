import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Evaluator } from './evaluate/evaluator.ts';
import type { Executor } from './execute/executor.ts';
import { readExecute } from './execute/request.ts';
import type { EndState } from './runs/run.ts';

/** A loop takes a core for all of this time, at each probe. */
const LOOP_MS = 10;
const SNIPPET = { input: '{"n":6}', timeoutMs: 4000, memoryBytes: 18 * 1024 ** 2, outputLength: 1000 };
/** Not at the first probe, which boot waits for: a loop makes V8 optimise the engine, 300 ms of a core, and a process costs more than a snippet. */
const REST_AFTER_MS = 3000;
const CHILD_EVERY_MS = 60_000;
/** Prints what it may not read; Node tells its refusal by this code. */
const READER = "require('node:fs').readFileSync(process.argv[2])";
const REFUSAL = 'ERR_ACCESS_DENIED';

/** The sandbox's job once: a right value, an endless loop that is ended, and a file outside that is refused: to a snippet and to a process. */
export function createProbe(
  ctx: KernelContext,
  evaluator: Evaluator,
  executor: Executor,
): () => Promise<Record<string, unknown>> {
  const loopDueMono = ctx.clock.monoMs() + REST_AFTER_MS;
  let childDueMono = loopDueMono;
  let child: Record<string, unknown> = { state: 'not tried yet' };
  let number = 0;

  const expect = async (code: string, wish: { state: EndState; value?: unknown }, timeoutMs = SNIPPET.timeoutMs) => {
    const got = await evaluator.evaluate({ ...SNIPPET, code, timeoutMs }, ctx.signal);
    const value = got.state === 'ok' ? got.value : got.message;
    if (got.state !== wish.state || ('value' in wish && wish.value !== value))
      throw broken(`"${code}" came to ${got.state}, ${JSON.stringify(value)}; it should be ${wish.state}`);
  };

  return async () => {
    const startMono = ctx.clock.monoMs();
    await expect("import('node:fs').then(() => 'open', () => input.n * 7)", { state: 'ok', value: 42 });
    let loop = 'not tried yet';
    if (startMono >= loopDueMono) {
      await expect('for (;;);', { state: 'timeout' }, LOOP_MS);
      loop = 'ended';
    }
    const snippetsMs = Math.round(ctx.clock.monoMs() - startMono);
    if (ctx.clock.monoMs() >= childDueMono) {
      child = await tryChild(ctx, executor, `.probe-${ctx.incarnation}-${++number}`);
      childDueMono = ctx.clock.monoMs() + CHILD_EVERY_MS;
    }
    return { value: 42, loop, fileOutside: 'refused', snippetsMs, child };
  };
}

async function tryChild(ctx: KernelContext, executor: Executor, id: string): Promise<Record<string, unknown>> {
  const request = readExecute(
    {
      command: 'node',
      args: ['read.cjs', ctx.store.path],
      files: { 'read.cjs': READER },
      isolation: 'weak',
      timeoutMs: 4000,
    },
    [],
  );
  const launch = await executor.plan(request, id);
  const { state, answer } = await executor.execute(request, launch, ctx.signal, () => {});
  // A machine too full to start a process in time says nothing about what the process may do.
  if (state === 'timeout' || state === 'cancelled') return { state };
  if (state !== 'failed' || !answer.stderr.includes(REFUSAL))
    throw broken(`a program that read a file outside its folder ended with ${state}: ${answer.stderr.slice(0, 200)}`);
  return { state: 'refused', weak: launch.isolation.weak };
}

function broken(what: string): GraceError {
  return new GraceError('INTERNAL', `sandbox does not do its job: ${what}`);
}
