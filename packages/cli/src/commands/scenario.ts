import { resolve } from 'node:path';
import { explainScenario, type Scenario } from '@grace/chaos';
import { EXIT, GraceError } from '@grace/contracts';
import { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { OK } from '../exit.ts';
import { printable } from '../output/output.ts';
import { table } from '../output/table.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { readScenario } from '../stress/scenario-files.ts';
import { selectScenarios } from '../stress/selection.ts';

export function scenarioCommand(start: Start): Command {
  const scenario = new Command('scenario').description('the faults the laboratory knows');
  scenario
    .command('list')
    .description('every scenario in force')
    .action(async (_: unknown, command: Command) => {
      await start(command.optsWithGlobals<GlobalOptions>(), list);
    });
  scenario
    .command('validate')
    .description('check scenario files; without a file, those in force')
    .argument('[files...]', 'scenario files')
    .action(async (files: string[], _: unknown, command: Command) => {
      await start(command.optsWithGlobals<GlobalOptions>(), (session) => validate(session, files));
    });
  scenario
    .command('explain')
    .description('what a scenario does, and what held means for it')
    .argument('<scenario>', 'its id, the start of it (S01), or a file')
    .action(async (id: string, _: unknown, command: Command) => {
      await start(command.optsWithGlobals<GlobalOptions>(), (session) => explain(session, id));
    });
  return scenario;
}

async function list(session: Session): Promise<number> {
  const { out } = session;
  const scenarios = (await loadConfig(session)).scenarios.map(readScenario);
  if (out.json) {
    out.document(scenarios);
    return OK;
  }
  const lines = table<Scenario>(
    [
      { head: 'SCENARIO', cell: ({ id }) => id },
      { head: 'WAVE', cell: ({ wave }) => String(wave), align: 'right' },
      { head: 'SEVERITY', cell: ({ severity }) => severity },
      { head: 'VARIANTS', cell: ({ variants }) => variants.map(({ id }) => id).join(', ') },
      { head: 'TITLE', cell: ({ title }) => printable(title) },
    ],
    scenarios,
    (head) => out.paint('dim', head),
  );
  for (const line of lines) out.line(line);
  return OK;
}

/** Every file is read, also after one that is wrong. */
async function validate(session: Session, files: readonly string[]): Promise<number> {
  const { out, cwd } = session;
  const paths = files.length > 0 ? files.map((file) => resolve(cwd, file)) : (await loadConfig(session)).scenarios;
  const results = paths.map((file) => {
    try {
      return { file, id: readScenario(file).id, ok: true, problem: null };
    } catch (error) {
      if (!(error instanceof GraceError)) throw error;
      return { file, id: null, ok: false, problem: error.message };
    }
  });
  if (out.json) out.document(results);
  else {
    for (const { file, id, problem } of results) {
      out.line(
        problem === null
          ? `${out.paint('good', 'valid')}   ${id}`
          : `${out.paint('bad', 'invalid')} ${file}\n${printable(problem)}`,
      );
    }
  }
  return results.every(({ ok }) => ok) ? OK : EXIT.usage;
}

async function explain(session: Session, id: string): Promise<number> {
  const { out } = session;
  const { scenarios } = await loadConfig(session);
  const [file] = selectScenarios(scenarios, [id], session.cwd);
  const scenario = readScenario(file!);
  if (out.json) out.document(scenario);
  else out.line(explainScenario(scenario).trimEnd());
  return OK;
}
