import { GraceError } from '@grace/contracts';
import { type Condition, RULE_LIMITS, type Rule } from './rule.ts';

/** The validator costs a thread its start, so it is loaded when something is to be checked and not before. */
const validator = async () => {
  const { readYaml } = await import('@grace/contracts/config');
  return { readYaml, ...(await import('./schema.ts')) };
};

/**
 * A rule as it came to a verb.
 * @param reads verbs that only look, beside the known ones, as `kernel.verb`
 * @throws GraceError `BAD_INPUT`, `TOO_LARGE`
 */
export async function readRule(input: unknown, reads: readonly string[]): Promise<Rule> {
  const text = textOf(input, 'input', 'a rule like { id, kind, facts, expect }');
  const { readYaml, ruleSchema } = await validator();
  return { ...readYaml(text, 'input', ruleSchema(reads), 'BAD_INPUT'), source: 'verb' };
}

/** @throws GraceError `BAD_INPUT`, `TOO_LARGE` */
export async function readCondition(
  input: unknown,
  place: string,
  kind: 'pre' | 'post',
  reads: readonly string[],
): Promise<Condition> {
  const text = textOf(input, place, 'the id of a rule, or a condition like { facts, expect }');
  const { readYaml, conditionSchema } = await validator();
  return readYaml(text, place, conditionSchema(kind, reads), 'BAD_INPUT');
}

/** JSON is YAML, and in YAML mistakes have a place. */
function textOf(input: unknown, place: string, expected: string): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(input);
  } catch (error) {
    throw new GraceError(
      'BAD_INPUT',
      `${place}: expected something JSON can say: ${(error as Error).message.split('\n')[0]}`,
    );
  }
  if (text === undefined || input === null || typeof input !== 'object' || Array.isArray(input)) {
    throw new GraceError('BAD_INPUT', `${place}: expected ${expected}, got ${text?.slice(0, 60) ?? 'nothing'}`);
  }
  if (text.length > RULE_LIMITS.definitionChars) {
    throw new GraceError(
      'TOO_LARGE',
      `${place}: at most ${RULE_LIMITS.definitionChars} characters are read, these are ${text.length}`,
    );
  }
  return text;
}
