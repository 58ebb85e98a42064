import { didYouMean } from '@grace/contracts';
import { Environment } from '@marcbachmann/cel-js';
import { EVENT_FIELDS, RULE_LIMITS, type RuleEvent } from './rule.ts';
import { weighs } from './weight.ts';

/**
 * Functions a condition may use. Left out on purpose: `matches` (a hostile pattern can hold the thread for ever), and whatever makes a
 * value larger than those it was given (`map`, `split`, `join`, `bind`).
 */
const FUNCTIONS = [
  ...['size', 'has', 'type', 'dyn', 'int', 'uint', 'double', 'string', 'bool', 'timestamp', 'duration'],
  ...['startsWith', 'endsWith', 'contains', 'indexOf', 'lowerAscii', 'upperAscii', 'trim'],
  ...['getFullYear', 'getMonth', 'getDate', 'getDayOfMonth', 'getDayOfWeek', 'getDayOfYear'],
  ...['getHours', 'getMinutes', 'getSeconds', 'getMilliseconds'],
];
const COMPREHENSIONS = ['all', 'exists', 'exists_one', 'filter'];
const ALLOWED = [...FUNCTIONS, ...COMPREHENSIONS];

/** Largest event, in values (64 characters of text count as one), that a condition which looks through lists is tried on. */
const WEIGHT_MAX = 2048;

/** A condition compiled once. `throws` what the evaluation threw: the caller counts it as no match. */
export type Condition = (event: RuleEvent) => boolean;

let environment: Environment | undefined;

function environmentOnce(): Environment {
  if (environment) return environment;
  const made = new Environment({
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: 100, maxDepth: 20, maxListElements: 100, maxMapEntries: 20, maxCallArguments: 8 },
  });
  for (const field of EVENT_FIELDS) {
    made.registerVariable(field, ['id', 'subject', 'from'].includes(field) ? 'string' : 'dyn');
  }
  environment = made;
  return made;
}

/**
 * @throws Error whose message says what is wrong, where, and the nearest valid name
 */
export function compileCondition(text: string): Condition {
  if (text.length > RULE_LIMITS.conditionChars) {
    throw new Error(`expected at most ${RULE_LIMITS.conditionChars} characters of CEL, got ${text.length}`);
  }
  const parsed = parse(text);
  const looks = inspect(parsed.ast, false);
  const checked = parsed.check();
  if (!checked.valid) {
    const unknown = /^Unknown variable: (\S+)/.exec(summary(checked.error))?.[1];
    const hint = unknown ? `${didYouMean(unknown, EVENT_FIELDS)}; an event has ${EVENT_FIELDS.join(', ')}` : '';
    throw new Error(`expected valid CEL, got: ${summary(checked.error)}${hint}`);
  }
  if (checked.type !== 'bool' && checked.type !== 'dyn') {
    throw new Error(`expected CEL that is true or false, got one of type ${checked.type}`);
  }
  return (event) => {
    if (looks && !weighs(event.payload, WEIGHT_MAX)) {
      throw new Error(
        `the event is too large for a condition that looks through lists (more than ${WEIGHT_MAX} values)`,
      );
    }
    const value: unknown = parsed(event);
    if (typeof value !== 'boolean') throw new Error(`the condition gave ${typeof value}, expected true or false`);
    return value;
  };
}

function parse(text: string) {
  try {
    return environmentOnce().parse(text);
  } catch (error) {
    const at = (error as { range?: { start: number } }).range?.start;
    throw new Error(`expected valid CEL, got: ${summary(error)}${at === undefined ? '' : ` at character ${at + 1}`}`);
  }
}

function summary(error: unknown): string {
  const { summary: short, message } = error as { summary?: string; message?: string };
  return String(short ?? message ?? error)
    .split('\n')[0]!
    .slice(0, 200);
}

/**
 * Refuses what could cost more than one pass over the event for each part of the condition: loops inside loops, and sums inside loops.
 * Returns whether the cost depends on the size of the event at all.
 */
function inspect(node: unknown, inLoop: boolean): boolean {
  if (Array.isArray(node)) {
    let looks = false;
    for (const part of node) looks = inspect(part, inLoop) || looks;
    return looks;
  }
  if (node === null || typeof node !== 'object' || !('op' in node)) return false;
  const { op, args } = node as { op: string; args: unknown };
  let loop = false;
  if (op === 'call' || op === 'rcall') {
    const name = String((args as unknown[])[0]);
    if (!ALLOWED.includes(name)) {
      throw new Error(
        `${name}() is not offered in conditions${didYouMean(name, ALLOWED)}; functions: ${ALLOWED.join(', ')}`,
      );
    }
    loop = COMPREHENSIONS.includes(name);
    if (loop && inLoop) throw new Error(`${name}() inside another loop is not offered in conditions`);
  }
  if (op === '+' && inLoop) throw new Error('+ inside a loop is not offered in conditions');
  const looks = inspect(args, inLoop || loop);
  return looks || loop || op === 'in' || op === '+';
}
