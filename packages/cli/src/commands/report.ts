import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { OK } from '../exit.ts';
import { NOTHING } from '../output/figures.ts';
import { table } from '../output/table.ts';
import { findRun, listRuns, readCatalogue } from '../reports/folder.ts';
import { readRunRecords } from '../reports/records.ts';
import { FORMATS, type Format, renderReport } from '../reports/render.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { oneOf } from './arguments.ts';

interface ReportOptions extends GlobalOptions {
  format?: Format;
  dir: string;
}

export function reportCommand(start: Start): Command {
  const report = new Command('report')
    .description("render a run's report again, from its journal")
    .argument('[run]', 'its id or folder; default the newest')
    .option('--format <format>', 'md or json', oneOf(FORMATS))
    .option('--dir <dir>', 'where reports are kept', 'stress-reports')
    .action(async (run: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<ReportOptions>();
      await start(options, (session) => render(session, run, options));
    });
  report
    .command('list')
    .description('the runs that are kept')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<ReportOptions>();
      await start(options, (session) => list(session, options));
    });
  return report;
}

async function render(session: Session, run: string | undefined, options: ReportOptions): Promise<number> {
  const { out } = session;
  const path = await findRun(resolve(session.cwd, options.dir), run);
  const format = options.format ?? (out.json ? 'json' : 'md');
  const records = await readRunRecords(join(path, 'journal'), undefined);
  const { files } = renderReport(records, await readCatalogue(path), [format], { ascii: out.ascii });
  const text = files.get(`report.${format}`)!;
  if (format === 'json') out.document(JSON.parse(text));
  else out.line(text.trimEnd());
  return OK;
}

interface Summary {
  name: string;
  seed: number | null;
  waves: number | null;
  held: number | null;
  broken: number | null;
  inconclusive: number | null;
  exit: number | null;
}

async function list(session: Session, options: ReportOptions): Promise<number> {
  const { out } = session;
  const folder = resolve(session.cwd, options.dir);
  const summaries = await Promise.all((await listRuns(folder)).map((name) => summarise(folder, name)));
  if (out.json) out.document(summaries);
  else if (summaries.length === 0) out.line(`no reports in ${folder}`);
  else {
    const figure = (head: string, of: (summary: Summary) => number | null) => ({
      head,
      cell: (summary: Summary) => String(of(summary) ?? NOTHING),
      align: 'right' as const,
    });
    const columns = [
      { head: 'RUN', cell: ({ name }: Summary) => name },
      figure('WAVES', ({ waves }) => waves),
      figure('HELD', ({ held }) => held),
      figure('BROKEN', ({ broken }) => broken),
      figure('INCONCLUSIVE', ({ inconclusive }) => inconclusive),
      figure('EXIT', ({ exit }) => exit),
      figure('SEED', ({ seed }) => seed),
    ];
    for (const line of table(columns, summaries, (head) => out.paint('dim', head))) out.line(line);
  }
  return OK;
}

/** From report.json, or, where a run was rendered without one, from its journal. */
async function summarise(folder: string, name: string): Promise<Summary> {
  const path = join(folder, name);
  const text = await readFile(join(path, 'report.json'), 'utf8').catch(async () => {
    const records = await readRunRecords(join(path, 'journal'), undefined);
    return renderReport(records, await readCatalogue(path), ['json'], { ascii: false }).files.get('report.json')!;
  });
  const { run, totals, exit } = JSON.parse(text) as {
    run: { seed: number | null };
    totals: { waves: number; held: number; broken: number; inconclusive: number };
    exit: { code: number };
  };
  return {
    name,
    seed: run.seed,
    waves: totals.waves,
    held: totals.held,
    broken: totals.broken,
    inconclusive: totals.inconclusive,
    exit: exit.code,
  };
}
