import { readYaml } from '@grace/contracts/config';
import type { Rule } from './rule.ts';
import { invariantsSchema } from './schema.ts';

/**
 * The rules of a file's text. Loads the validator: the kernel itself does so only when it must.
 * @throws GraceError `CONFIG_INVALID` naming file, line and what was expected
 */
export function parseInvariants(text: string, file: string): Rule[] {
  return readYaml(text, file, invariantsSchema).rules.map((rule) => ({ ...rule, source: 'file' }));
}
