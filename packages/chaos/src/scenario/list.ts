import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GraceError } from '@grace/contracts';
import { parseScenario } from './parse.ts';
import type { Scenario } from './scenario.ts';

/**
 * Every scenario of a folder, by file name.
 * @throws GraceError `CONFIG_UNREADABLE`, `SCENARIO_INVALID`
 */
export function listScenarios(folder: string): Scenario[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw new GraceError('CONFIG_UNREADABLE', `cannot list ${folder}: ${(error as Error).message}`, { folder });
  }
  return names
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => readScenario(join(folder, name)));
}

/** @throws GraceError `CONFIG_UNREADABLE`, `SCENARIO_INVALID` */
export function readScenario(file: string): Scenario {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new GraceError('CONFIG_UNREADABLE', `cannot read ${file}: ${(error as Error).message}`, { file });
  }
  return parseScenario(text, file);
}
