import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { optimisedLater } from '@grace/kernel-sdk/wasm';
import type { QuickJSContext, QuickJSHandle, QuickJSRuntime, QuickJSSyncVariant } from 'quickjs-emscripten-core';
import type { Evaluated, Evaluation } from './evaluation.ts';

/** Of the engines of WebAssembly, which Node has and its types do not tell. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  RuntimeError: ErrorConstructor;
};

const PAGE_BYTES = 64 * 1024;
/** What the engine asks for when it starts. */
const INITIAL_PAGES = 256;
/** Of the 1 MB that the engine has; recursion beyond it is told to the snippet. */
const STACK_BYTES = 256 * 1024;
const FILE = 'snippet.js';
const MESSAGE_LENGTH = 500;
const JOBS_AT_ONCE = 100;
/** Free memory below which a thrown value cannot be read: then what was thrown was the lack of memory. */
const EXHAUSTED = 0.95;

/** Made before the snippet runs, so that it works whatever the snippet does to JSON. */
const SHOW = `(({ stringify }, text) => (value, isResult) => {
  if (!isResult && typeof value === 'string') return value;
  if (isResult) return stringify(value);
  try { return stringify(value) ?? text(value); } catch (error) { return '[' + text(error) + ']'; }
})(JSON, String)`;

type Core = typeof import('quickjs-emscripten-core');
type Engine = { core: Core; variant: QuickJSSyncVariant; wasmModule: object };
let loaded: Promise<Engine> | undefined;

/** Compiled once in each thread, for all engines that it makes. */
async function load(): Promise<Engine> {
  const [core, variant] = await Promise.all([
    import('quickjs-emscripten-core'),
    import('@jitl/quickjs-wasmfile-release-sync'),
  ]);
  const bytes = readFileSync(createRequire(import.meta.url).resolve('@jitl/quickjs-wasmfile-release-sync/wasm'));
  // Its types are those of its CommonJS twin, where the default stands one step deeper.
  const engine = variant.default as unknown as QuickJSSyncVariant;
  return { core, variant: engine, wasmModule: optimisedLater(() => new WebAssembly.Module(bytes)) };
}

/**
 * Runs one snippet in an engine of its own: its WebAssembly memory is made with a maximum, because the engine's own limit counts only the
 * largest single allocation, and nothing that a snippet breaks in its engine is met by another. The engine is never closed, only let go of:
 * closing one that ran out of memory aborts.
 */
export async function evaluate(task: Evaluation): Promise<Evaluated> {
  loaded ??= load();
  const { core, variant, wasmModule } = await loaded;
  const maximum = Math.max(INITIAL_PAGES, Math.floor(task.memoryBytes / PAGE_BYTES));
  const wasmMemory = new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum });
  const engine = await core.newQuickJSWASMModuleFromVariant(core.newVariant(variant, { wasmMemory, wasmModule }));
  const runtime = engine.newRuntime({ maxStackSizeBytes: STACK_BYTES });
  const printed: string[] = [];
  let room = task.outputLength;
  let stopped: 'timeout' | 'output' | undefined;
  let endMono = Number.POSITIVE_INFINITY;
  const mustStop = (): boolean => {
    if (stopped === undefined && performance.now() > endMono) stopped = 'timeout';
    return stopped !== undefined;
  };
  runtime.setInterruptHandler(mustStop);

  const used = (): number => wasmMemory.buffer.byteLength;
  const ended = (state: Exclude<Evaluated['state'], 'ok'>, message: string, line: number | null = null): Evaluated => ({
    ...{ state, message: message.slice(0, MESSAGE_LENGTH), line, console: printed, memoryBytes: used() },
  });
  const judged = (thrown: Thrown): Evaluated => {
    if (stopped === 'timeout') return ended('timeout', `not done after ${task.timeoutMs} ms`, thrown.line);
    if (stopped === 'output') return ended('output', `printed more than ${task.outputLength} characters`, thrown.line);
    if (thrown.isOutOfStack) return ended('memory', 'ran out of stack', thrown.line);
    const isExhausted = thrown.isBlank && used() >= maximum * PAGE_BYTES * EXHAUSTED;
    if (thrown.isOutOfMemory || isExhausted)
      return ended('memory', `needed more than ${task.memoryBytes} bytes`, thrown.line);
    return ended('error', thrown.message, thrown.line);
  };

  try {
    const context = runtime.newContext();
    const show = context.unwrapResult(context.evalCode(SHOW, 'show.js'));
    const log = context.newFunction('log', (...values) => {
      if (stopped) return;
      const line = values.map((value) => shown(context, show, value, false) ?? 'undefined').join(' ');
      room -= line.length + 1;
      if (room < 0) stopped = 'output';
      else printed.push(line);
    });
    const console = context.newObject();
    context.setProp(console, 'log', log);
    context.setProp(context.global, 'console', console);
    // What the engine itself needs to start is not the snippet's.
    endMono = performance.now() + task.timeoutMs;
    const parse = context.getProp(context.getProp(context.global, 'JSON'), 'parse');
    const input = context.unwrapResult(context.callFunction(parse, context.undefined, context.newString(task.input)));
    context.setProp(context.global, 'input', input);

    const first = context.evalCode(task.code, FILE);
    if (first.error) return judged(readThrown(context, first.error));
    const settled = settle(context, runtime, first.value, mustStop);
    if ('thrown' in settled) return judged(settled.thrown);
    const text = shown(context, show, settled.value, true);
    if (stopped) return judged(NOTHING);
    if (text !== undefined && text.length > task.outputLength)
      return ended('output', `the value has more than ${task.outputLength} characters`);
    return { state: 'ok', value: text === undefined ? null : JSON.parse(text), console: printed, memoryBytes: used() };
  } catch (error) {
    if (error instanceof Refusal) return judged(error.thrown);
    const { message } = error as Error;
    // The stack of the thread itself, under deeply nested code or values; or the engine could not even say what is missing.
    const isOutOfStack = error instanceof RangeError || /stack/i.test(message);
    const isOutOfMemory = error instanceof WebAssembly.RuntimeError || /memory/i.test(message);
    return judged({ ...NOTHING, message, isOutOfStack, isOutOfMemory });
  }
}

interface Thrown {
  message: string;
  line: number | null;
  isBlank: boolean;
  isOutOfStack: boolean;
  isOutOfMemory: boolean;
}

const NOTHING: Thrown = { message: '', line: null, isBlank: true, isOutOfStack: false, isOutOfMemory: false };

class Refusal extends Error {
  readonly thrown: Thrown;
  constructor(thrown: Thrown) {
    super(thrown.message);
    this.thrown = thrown;
  }
}

/** Runs what waits in the engine; the value itself, or what the promise it is came to. */
function settle(
  context: QuickJSContext,
  runtime: QuickJSRuntime,
  value: QuickJSHandle,
  mustStop: () => boolean,
): { value: QuickJSHandle } | { thrown: Thrown } {
  while (runtime.hasPendingJob()) {
    if (mustStop()) return { thrown: NOTHING };
    const done = runtime.executePendingJobs(JOBS_AT_ONCE);
    if (done.error) return { thrown: readThrown(context, done.error) };
  }
  const promise = context.getPromiseState(value);
  if (promise.type === 'fulfilled') return { value: promise.value };
  if (promise.type === 'rejected') return { thrown: readThrown(context, promise.error) };
  return { thrown: { ...NOTHING, isBlank: false, message: 'its promise is never settled: nothing is left to run' } };
}

function shown(context: QuickJSContext, show: QuickJSHandle, value: QuickJSHandle, isResult: boolean) {
  const text = context.callFunction(show, context.undefined, value, isResult ? context.true : context.false);
  if (text.error) throw new Refusal(readThrown(context, text.error));
  return context.typeof(text.value) === 'string' ? context.getString(text.value) : undefined;
}

/** The snippet chooses what it throws, so nothing about it is taken for granted. */
function readThrown(context: QuickJSContext, error: QuickJSHandle): Thrown {
  const value = context.dump(error) as unknown;
  const { name, message, stack } = (value !== null && typeof value === 'object' ? value : {}) as Record<
    string,
    unknown
  >;
  const isError = typeof name === 'string' && typeof message === 'string';
  const line = typeof stack === 'string' ? /snippet\.js:(\d+)/.exec(stack)?.[1] : undefined;
  return {
    message: isError ? `${name}: ${message}` : `threw ${JSON.stringify(value) ?? typeof value}`,
    line: line === undefined ? null : Number(line),
    isBlank: value === null || value === '' || value === undefined,
    isOutOfStack: isError && name === 'InternalError' && message === 'stack overflow',
    isOutOfMemory: isError && name === 'InternalError' && message === 'out of memory',
  };
}
