import { randomBytes, randomInt } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import type { RunnerOptions } from '@grace/chaos';
import { EXIT, fromWireError, HOME, type RunResult } from '@grace/contracts';
import { Command } from 'commander';
import { loadConfig, loadPlan } from '../config/load.ts';
import { showMs } from '../output/figures.ts';
import { folderName, writeFolder } from '../reports/folder.ts';
import { readRunRecords } from '../reports/records.ts';
import { type Catalogue, FORMATS, type Format, renderReport } from '../reports/render.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { abortRun, endSystem, runHome } from '../stress/abort.ts';
import { evidenceFiles } from '../stress/evidence-files.ts';
import { leftoverFiles } from '../stress/leftovers.ts';
import { applyProgress, emptyBoard, progressLines } from '../stress/progress-board.ts';
import { takeRun } from '../stress/run-file.ts';
import { startRunner } from '../stress/runner.ts';
import { readScenario } from '../stress/scenario-files.ts';
import { selectScenarios } from '../stress/selection.ts';
import { sourceVersion } from '../stress/source.ts';
import { summaryLines } from '../stress/summary.ts';
import { connect } from '../system/connect.ts';
import { type Interrupts, watchInterrupts } from '../system/interrupts.ts';
import { launch } from '../system/launch.ts';
import { list, someOf, wholeNumber } from './arguments.ts';

interface StressOptions extends GlobalOptions {
  waves: number;
  scenarios?: string[];
  seed?: number;
  trials: number;
  attach?: boolean;
  out: string;
  format: Format[];
  abort?: boolean;
}

export function stressCommand(start: Start): Command {
  return new Command('stress')
    .description('boot a system, break it in waves, and report what held')
    .option('--waves <count>', 'how many', wholeNumber(1, 1000), 3)
    .option('--scenarios <ids>', 'ids (S01), or files, comma-separated', list('a scenario'))
    .option('--seed <number>', 'replays the decisions of a run', wholeNumber(0, 0xffffffff))
    .option('--trials <count>', 'repeat each variant', wholeNumber(1, 1000), 1)
    .option('--attach', 'break the armed system that runs in the home, instead of one of its own')
    .option('--out <dir>', 'where reports are kept', 'stress-reports')
    .option('--format <formats>', 'md, json', someOf(FORMATS), [...FORMATS])
    .option('--abort', 'end the run under way in the home')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<StressOptions>();
      await start(options, (session) => (options.abort ? abortRun(session) : stress(session, options)));
    });
}

async function stress(session: Session, options: StressOptions): Promise<number> {
  const { scenarios: known } = await loadConfig(session);
  const files = selectScenarios(known, options.scenarios, session.cwd);
  const chosen = files.map(readScenario);
  const catalogue: Catalogue = {
    scenarios: chosen.map(({ id, title, proves }) => ({ id, title, proves })),
    allScenarioIds: [...new Set([...known.map(readScenario), ...chosen].map(({ id }) => id))],
  };
  const run = randomBytes(3).toString('hex');
  const seed = options.seed ?? randomInt(0x1_0000_0000);
  const home = options.attach ? session.home : runHome(session.home, run);
  const lock = takeRun(session.home, { run, system: home, attach: options.attach === true });
  const interrupts = watchInterrupts();
  const startedWallMs = Date.now();
  try {
    const left: string[] = [];
    try {
      await prepare(session, home, options.attach === true, interrupts);
      const runner: RunnerOptions = {
        home,
        run,
        seed,
        waves: options.waves,
        trials: options.trials,
        scenarios: files,
        actorEntry: join(session.dist, 'actor.js'),
        command: replayCommand(options, seed),
        attach: options.attach === true,
        ...(await sourceVersion(session.root)),
      };
      await attend(session, runner, interrupts, lock.note);
    } finally {
      if (!options.attach) left.push(...(await endSystem(home)), ...leftoverFiles(home));
    }
    const path = join(resolve(session.cwd, options.out), folderName(startedWallMs, run));
    const result = await report(session, options, { run, home, path, catalogue, left });
    if (left.length > 0) return EXIT.cleanupIncomplete;
    if (!options.attach) rmSync(home, { recursive: true, force: true });
    return result.exit.code;
  } finally {
    lock.release();
    interrupts.done();
  }
}

/** A system that is armed: one of its own, booted now, or the one that runs in the home. */
async function prepare(session: Session, home: string, attach: boolean, interrupts: Interrupts): Promise<void> {
  if (attach) {
    (await connect(home)).close();
    return;
  }
  const plan = await loadPlan(session, { armed: true, home });
  const { client, leave } = await launch(plan, 'stress');
  try {
    const over = client.request('ready', {}, plan.settings.bootDeadlineMs + 5000);
    const ready = await Promise.race([over, interrupts.first]);
    if (typeof ready === 'string') return;
    session.out.step(`booted: ${ready.ready} of ${ready.total} kernels ready in ${showMs(ready.ms)}`);
    for (const { kernel, error } of ready.failed)
      session.out.step(`  not ready: ${kernel}: ${error.code}: ${error.message}`);
  } finally {
    client.close();
    leave();
  }
}

async function attend(
  session: Session,
  options: RunnerOptions,
  interrupts: Interrupts,
  note: (runner: ReturnType<typeof startRunner>['process']) => void,
): Promise<void> {
  const { out } = session;
  const board = emptyBoard();
  const draw = out.live ? (await import('log-update')).createLogUpdate(out.stream) : undefined;
  const runner = startRunner(session.dist, options, (progress) => {
    const line = applyProgress(board, progress, out);
    if (draw) draw(progressLines(board, out).join('\n'));
    else if (line !== undefined) out.step(line);
  });
  note(runner.process);
  interrupts.on(() => {
    out.note('ending the run: faults are undone and the report is written');
    runner.interrupt();
  });
  if (interrupts.count > 0) runner.interrupt();
  const { code, signal, error } = await runner.ended;
  draw?.done();
  // A run that could not begin has no report; one that broke off has, and says so.
  if (error?.t === 'error' && board.waves.size === 0) throw fromWireError(error.error);
  if (code === null) out.note(`the runner was ended by ${signal}`);
}

async function report(
  session: Session,
  options: StressOptions,
  run: { run: string; home: string; path: string; catalogue: Catalogue; left: string[] },
): Promise<RunResult> {
  const { out } = session;
  const journal = join(run.home, HOME.journal);
  const records = await readRunRecords(journal, run.run);
  const { result, files } = renderReport(records, run.catalogue, options.format, { ascii: out.ascii, run: run.run });
  await mkdir(resolve(session.cwd, options.out), { recursive: true });
  await writeFolder(run.path, {
    files,
    catalogue: run.catalogue,
    journal,
    logs: join(run.home, HOME.logs),
    evidence: evidenceFiles(records, run.run, run.home),
  });
  if (out.json) {
    const json = renderReport(records, run.catalogue, ['json'], { ascii: out.ascii, run: run.run }).files.get(
      'report.json',
    )!;
    out.document({ ...(JSON.parse(json) as object), path: run.path, left: run.left });
    return result;
  }
  out.line();
  for (const line of summaryLines(result, out)) out.line(line);
  for (const one of run.left) out.line(out.paint('bad', `left behind: ${one}`));
  out.line(`report: ${relative(session.cwd, run.path) || run.path}`);
  return result;
}

function replayCommand(options: StressOptions, seed: number): string {
  return [
    'grace stress',
    `--waves ${options.waves}`,
    `--seed ${seed}`,
    ...(options.trials > 1 ? [`--trials ${options.trials}`] : []),
    ...(options.scenarios ? [`--scenarios ${options.scenarios.join(',')}`] : []),
    ...(options.attach ? ['--attach'] : []),
  ].join(' ');
}
