import { readFile } from 'node:fs/promises';
import { didYouMean, GraceError } from '@grace/contracts';
import { is } from '@grace/kernel-sdk';
import { PLAN_LIMITS, type Plan } from './plan.ts';

/** The plans there are. */
export interface Library {
  all(): readonly Plan[];
  has(id: string): boolean;
  /** @throws GraceError `NOT_FOUND` with the nearest id */
  get(id: string): Plan;
}

/**
 * @param given plans as the composition root has checked them, or paths of files
 * @throws GraceError `CONFIG_INVALID`, `CONFIG_UNREADABLE`
 */
export async function createLibrary(given: unknown): Promise<Library> {
  const entries = is.optional(is.array(is.unknown(), { max: PLAN_LIMITS.plans }))(given, 'config.library') ?? [];
  const plans = new Map<string, Plan>();
  for (const entry of entries) {
    const plan = typeof entry === 'string' ? await readPlan(entry) : (entry as Plan);
    if (plans.has(plan.id))
      throw new GraceError('CONFIG_INVALID', `two plans are called "${plan.id}"`, { plan: plan.id });
    plans.set(plan.id, plan);
  }
  return {
    all: () => [...plans.values()],
    has: (id) => plans.has(id),
    get(id) {
      const plan = plans.get(id);
      if (plan) return plan;
      throw new GraceError(
        'NOT_FOUND',
        `there is no plan ${JSON.stringify(id.slice(0, 60))}${didYouMean(id.slice(0, 60), plans.keys())}`,
        { plan: id.slice(0, 60) },
      );
    },
  };
}

async function readPlan(file: string): Promise<Plan> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new GraceError('CONFIG_UNREADABLE', `${file}: ${(error as Error).message}`, { file });
  }
  const { parsePlan } = await import('./file.ts');
  return parsePlan(text, file);
}
