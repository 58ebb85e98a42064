import { GraceError } from '@grace/contracts';
import { readYaml } from '@grace/contracts/config';
import { PLAN_LIMITS, type Plan } from './plan.ts';
import { planSchema } from './schema.ts';

/**
 * The plan of a file's text. Loads the validator: the kernel itself does so only when it must.
 * @param kernels ids that calls may name; undefined: not known here
 * @throws GraceError `CONFIG_INVALID`, one problem a line as `file:line:col: path: what was expected`
 */
export function parsePlan(text: string, file: string, kernels?: readonly string[]): Plan {
  if (text.length > PLAN_LIMITS.fileChars)
    throw new GraceError(
      'CONFIG_INVALID',
      `${file}: a plan has at most ${PLAN_LIMITS.fileChars} characters, these are ${text.length}`,
      { file },
    );
  return readYaml(text, file, planSchema(kernels));
}
