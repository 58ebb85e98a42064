import { didYouMean } from '@grace/contracts';
import { Environment } from '@marcbachmann/cel-js';
import { EVENT_FIELDS, RULE_LIMITS, type RuleEvent } from './rule.ts';
import { DEPTH_MAX, weigh } from './weight.ts';

/**
 * Functions a condition may use. Left out on purpose: `matches` (a hostile pattern can hold the thread for ever; so can a hostile text that
 * `duration` reads, which is why it reads literals alone), and whatever makes a
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

/** Largest event, in values, that a condition which looks through it is tried on. */
const WEIGHT_MAX = 2048;
/** Longest text, in characters, of an event that a condition which searches or reads its texts is tried on. */
const TEXT_MAX = 2048;
/** Searching for a text this short takes no longer than reading what is searched. */
const SHORT_TEXT = 64;
/** In the worst case these take the product of both lengths, or the square of one. */
const SEARCHES = ['contains', 'indexOf'];
const READS = ['timestamp', 'int', 'uint', 'double'];
/** Never more than a few characters or one number, whatever the event. */
const SIMPLE = ['id', 'subject', 'from', 'at', 'depth', 'correlation', 'causation'];

/** What a condition does to an event whose cost depends on its size. */
interface Looks {
  /** Goes through lists or compares values of the event with one another. */
  through: boolean;
  /** Searches or reads texts. */
  texts: boolean;
}

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
  const looks: Looks = { through: false, texts: false };
  inspect(parsed.ast, false, looks);
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
    const why = tooLarge(event.payload, looks);
    if (why) throw new Error(`the event is too large for this condition (more than ${why})`);
    const value: unknown = parsed(event);
    if (typeof value !== 'boolean') throw new Error(`the condition gave ${typeof value}, expected true or false`);
    return value;
  };
}

function tooLarge(payload: unknown, looks: Looks): string | undefined {
  const { values, depth, longest } = weigh(payload);
  if (depth > DEPTH_MAX) return `${DEPTH_MAX} objects in one another`;
  if (looks.through && values > WEIGHT_MAX) return `${WEIGHT_MAX} values`;
  return looks.texts && longest > TEXT_MAX ? `${TEXT_MAX} characters in a text` : undefined;
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
 * Notes in `looks` what may cost at all.
 */
function inspect(node: unknown, inLoop: boolean, looks: Looks): void {
  if (Array.isArray(node)) {
    for (const part of node) inspect(part, inLoop, looks);
    return;
  }
  if (node === null || typeof node !== 'object' || !('op' in node)) return;
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
    if (READS.includes(name)) looks.texts = true;
    if (name === 'duration' && !isShortText((args as unknown[]).at(-1))) {
      throw new Error(`duration() is offered for a text that stands in the condition, like duration("5m")`);
    }
    if (SEARCHES.includes(name) && !isShortText((args as unknown[]).at(-1))) {
      if (inLoop) throw new Error(`inside a loop, ${name}() is offered for a text of at most ${SHORT_TEXT} characters`);
      looks.texts = true;
    }
  }
  if (op === '+' && inLoop) throw new Error('+ inside a loop is not offered in conditions');
  if (op === 'in' && inLoop && (args as { op?: string }[])[1]?.op !== 'list') {
    throw new Error('inside a loop, `in` is offered for a list that stands in the condition');
  }
  if ((op === '==' || op === '!=') && !(args as unknown[]).some(isSimple)) looks.through = true;
  if (loop || op === 'in' || op === '+') looks.through = true;
  inspect(args, inLoop || loop, looks);
}

/** A text that stands in the condition itself. */
function isShortText(given: unknown): boolean {
  const [first] = (Array.isArray(given) ? given : [given]) as { op?: string; args?: unknown }[];
  return first?.op === 'value' && typeof first.args === 'string' && first.args.length <= SHORT_TEXT;
}

/** To compare with it costs nothing: what stands in the condition, or a field of the event that is short. */
function isSimple(node: unknown): boolean {
  const { op, args } = node as { op?: string; args?: unknown };
  return op === 'value' || (op === 'id' && SIMPLE.includes(String(args)));
}
