import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { GraceError, HOME, type SystemPlan } from '@grace/contracts';
import type { Session } from '../session.ts';

/** What nobody needs to name: a folder without it is as good as one with an empty one. */
const DEFAULT_FILE = 'grace.yaml';

/**
 * Where the configuration lies that the running system was booted with, unless `--config` names another: whoever reads it again stands
 * somewhere else, perhaps.
 * @throws GraceError `NOT_RUNNING`
 */
export function bootedWith({ home, cwd, config }: Pick<Session, 'home' | 'cwd' | 'config'>): {
  cwd: string;
  config: string | undefined;
} {
  if (config !== undefined) return { cwd, config };
  const { configFile } = readPlan(home);
  const isDefault = basename(configFile) === DEFAULT_FILE && !existsSync(configFile);
  return { cwd: dirname(configFile), config: isDefault ? undefined : configFile };
}

function readPlan(home: string): SystemPlan {
  try {
    return JSON.parse(readFileSync(join(home, HOME.plan), 'utf8')) as SystemPlan;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new GraceError('NOT_RUNNING', `no system is running in ${home}`, { home });
    throw error;
  }
}
