import { didYouMean } from '@grace/contracts';
import { Environment } from '@marcbachmann/cel-js';
import { RULE_LIMITS } from './rule.ts';

/**
 * Functions an expression may use. Left out on purpose: `matches` (a hostile pattern can hold the thread for ever), and whatever makes a
 * value larger than those it was given (`split`, `join`, `bind`).
 */
const FUNCTIONS = [
  ...['size', 'has', 'type', 'dyn', 'int', 'uint', 'double', 'string', 'bool', 'timestamp', 'duration'],
  ...['startsWith', 'endsWith', 'contains', 'indexOf', 'lowerAscii', 'upperAscii', 'trim'],
];
const LOOPS = ['all', 'exists', 'exists_one', 'filter', 'map'];
const OFFERED = [...FUNCTIONS, ...LOOPS];

/**
 * An expression compiled once. It throws what cannot be told: a field that is not there, values that cannot be compared. `a || b` and
 * `a && b` are decided by one side alone where that is enough, as CEL has it.
 */
export type Expression = (scope: Readonly<Record<string, unknown>>) => unknown;

let base: Environment | undefined;

/**
 * @param names what it may speak of
 * @param wanted `bool`: it must be true or false; `any`: whatever it gives
 * @throws Error whose message says what is wrong, where, and the nearest valid name
 */
export function compile(text: string, names: readonly string[], wanted: 'bool' | 'any'): Expression {
  if (text.length > RULE_LIMITS.expressionChars) {
    throw new Error(`expected at most ${RULE_LIMITS.expressionChars} characters of CEL, got ${text.length}`);
  }
  base ??= new Environment({
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: 200, maxDepth: 24, maxListElements: 100, maxMapEntries: 20, maxCallArguments: 8 },
  });
  const environment = base.clone();
  for (const name of names) environment.registerVariable(name, name === 'nowMs' ? 'double' : 'dyn');
  const parsed = parse(environment, text);
  inspect(parsed.ast, false);
  const checked = parsed.check();
  if (!checked.valid) {
    const unknown = /^Unknown variable: (\S+)/.exec(summary(checked.error))?.[1];
    const hint = unknown ? `${didYouMean(unknown, names)}; it may speak of ${names.join(', ')}` : '';
    throw new Error(`expected valid CEL, got: ${summary(checked.error)}${hint}`);
  }
  if (wanted === 'bool' && checked.type !== 'bool' && checked.type !== 'dyn') {
    throw new Error(`expected CEL that is true or false, got one of type ${checked.type}`);
  }
  return (scope) => parsed({ ...scope });
}

function parse(environment: Environment, text: string) {
  try {
    return environment.parse(text);
  } catch (error) {
    const at = (error as { range?: { start: number } }).range?.start;
    throw new Error(`expected valid CEL, got: ${summary(error)}${at === undefined ? '' : ` at character ${at + 1}`}`);
  }
}

/** The first line of what CEL says, without its drawing. */
function summary(error: unknown): string {
  const { summary: short, message } = error as { summary?: string; message?: string };
  return String(short ?? message ?? error)
    .split('\n')[0]!
    .slice(0, 200);
}

/**
 * Refuses what could cost more than one pass over the facts for each part of the expression: loops inside loops, and sums inside loops. How
 * large facts may be is bounded where they are gathered.
 */
function inspect(node: unknown, inLoop: boolean): void {
  if (Array.isArray(node)) {
    for (const part of node) inspect(part, inLoop);
    return;
  }
  if (node === null || typeof node !== 'object' || !('op' in node)) return;
  const { op, args } = node as { op: string; args: unknown };
  if (op === '+' && inLoop) throw new Error('+ inside a loop is not offered');
  if (op !== 'call' && op !== 'rcall') {
    inspect(args, inLoop);
    return;
  }
  const [name, ...rest] = args as [string, ...unknown[]];
  if (!OFFERED.includes(name)) {
    throw new Error(`${name}() is not offered${didYouMean(name, OFFERED)}; functions: ${OFFERED.join(', ')}`);
  }
  if (!LOOPS.includes(name)) {
    inspect(rest, inLoop);
    return;
  }
  if (inLoop) throw new Error(`${name}() inside another loop is not offered`);
  // What is looped over may be the outcome of another loop: one after the other, not one in the other.
  const [over, body] = rest;
  inspect(over, false);
  inspect(body, true);
}
