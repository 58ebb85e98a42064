import { GraceError } from '@grace/contracts';
import { RULE_LIMITS, type Rule } from './rule.ts';
import { DEPTH_MAX, weigh } from './weight.ts';

/** The validator costs a thread its start, so it is loaded when something is to be checked and not before. */
const validator = async () => {
  const { readYaml } = await import('@grace/contracts/config');
  const { ruleSchema } = await import('./schema.ts');
  return { readYaml, ruleSchema };
};

/** A definition as it came to the verb.
 * @throws GraceError `BAD_INPUT`, `TOO_LARGE` */
export async function readDefinition(input: unknown): Promise<Rule> {
  if (input === null || typeof input !== 'object' || Array.isArray(input)) {
    throw new GraceError(
      'BAD_INPUT',
      `input: expected a rule like { id, on, do }, got ${Array.isArray(input) ? 'a list' : String(input).slice(0, 60)}`,
    );
  }
  const text = toJson(input);
  if (text.length > RULE_LIMITS.definitionBytes) {
    throw new GraceError(
      'TOO_LARGE',
      `a rule may have ${RULE_LIMITS.definitionBytes} characters, this one has ${text.length}`,
      {
        limit: RULE_LIMITS.definitionBytes,
      },
    );
  }
  const { readYaml, ruleSchema } = await validator();
  return { ...readYaml(text, 'input', ruleSchema, 'BAD_INPUT'), source: 'verb' };
}

/** An input arrives by structured clone, so it may hold what JSON cannot say, and go in a circle. */
function toJson(input: object): string {
  if (weigh(input).depth > DEPTH_MAX)
    throw new GraceError('BAD_INPUT', `input: expected at most ${DEPTH_MAX} objects in one another`);
  try {
    return JSON.stringify(input);
  } catch (error) {
    throw new GraceError('BAD_INPUT', `input: expected a rule that JSON can say: ${(error as Error).message}`);
  }
}

/** The rules of a file's text.
 * @throws GraceError `CONFIG_INVALID` naming file, line and what was expected */
export async function readRuleFile(text: string, file: string): Promise<Rule[]> {
  const { parseTriggers } = await import('./file.ts');
  return parseTriggers(text, file);
}
