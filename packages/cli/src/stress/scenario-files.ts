import { readFileSync } from 'node:fs';
import { parseScenario, type Scenario } from '@grace/chaos';
import { GraceError } from '@grace/contracts';

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
