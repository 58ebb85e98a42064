import { readFileSync } from 'node:fs';
import { GraceError, type SystemPlan } from '@grace/contracts';

/** Reads a plan the composition root has written. */
export function readPlan(file: string): SystemPlan {
  const plan = JSON.parse(readFileSync(file, 'utf8')) as SystemPlan;
  if (plan.format !== 1) {
    throw new GraceError(
      'CONFIG_INVALID',
      `${file} is a plan of format ${String(plan.format)}; this supervisor reads format 1`,
    );
  }
  return plan;
}
