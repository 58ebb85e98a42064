import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EXIT, GraceError } from '@grace/contracts';
import { Command, CommanderError } from 'commander';
import { bootCommand } from './commands/boot.ts';
import { callCommand } from './commands/call.ts';
import { doctorCommand } from './commands/doctor.ts';
import { incidentsCommand } from './commands/incidents.ts';
import { isolateCommand } from './commands/isolate.ts';
import { logCommand } from './commands/log.ts';
import { logsCommand } from './commands/logs.ts';
import { publishCommand } from './commands/publish.ts';
import { reportCommand } from './commands/report.ts';
import { restartCommand } from './commands/restart.ts';
import { scenarioCommand } from './commands/scenario.ts';
import { statusCommand } from './commands/status.ts';
import { stopCommand } from './commands/stop.ts';
import { stressCommand } from './commands/stress.ts';
import { tapCommand } from './commands/tap.ts';
import { exitCodeOf } from './exit.ts';
import { Output } from './output/output.ts';
import type { GlobalOptions, Place, Start } from './session.ts';

const COMMANDS = [
  bootCommand,
  statusCommand,
  stopCommand,
  restartCommand,
  isolateCommand,
  logsCommand,
  incidentsCommand,
  callCommand,
  tapCommand,
  publishCommand,
  stressCommand,
  reportCommand,
  scenarioCommand,
  logCommand,
  doctorCommand,
];

/** Runs one command line; answers with its exit code, and never throws. */
export async function run(argv: readonly string[], place: Place): Promise<number> {
  let code = 0;
  let out = makeOutput(place, {
    home: '',
    color: true,
    json: argv.includes('--json'),
    ascii: argv.includes('--ascii'),
  });
  const { version } = JSON.parse(readFileSync(join(place.root, 'package.json'), 'utf8')) as { version: string };
  const start: Start = async (options, work) => {
    out = makeOutput(place, options);
    const home = resolve(place.cwd, options.home);
    code = await work({ ...place, home, config: options.config, version, out });
  };
  try {
    await makeProgram(version, start, out).parseAsync(argv, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version end here too; commander has written them, and its own complaints, already.
      if (error.exitCode === 0) return 0;
      if (out.json) out.document({ error: { code: 'USAGE', message: error.message.replace(/^error: /, '') } });
      return EXIT.usage;
    }
    out.error(error);
    return exitCodeOf(error);
  }
}

export function makeProgram(version: string, start: Start, out: Output): Command {
  const program = new Command('grace')
    .description(
      'A resilience runtime for Node: keeps kernels alive, breaks them on purpose, and writes down what happened.',
    )
    .version(version, '--version', 'print the version')
    .option('--home <dir>', 'everything the system keeps; one running system per home', '.grace')
    .option('--config <file>', 'configuration over the built-in one (default: ./grace.yaml if it is there)')
    .option('--json', 'one JSON document, or NDJSON, on standard output; everything else on standard error')
    .option('--no-color', 'no colours (also: NO_COLOR)')
    .option('--ascii', 'no character above 127')
    .option('-v, --verbose', 'tell more, and show stacks of errors')
    .option('-q, --quiet', 'results and errors only');
  for (const make of COMMANDS) program.addCommand(make(start));
  for (const command of everyCommand(program)) {
    command.exitOverride().configureHelp({ showGlobalOptions: true });
    command.configureOutput({
      writeOut: (text) => out.line(text.trimEnd()),
      writeErr: (text) => out.complain(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'grace: ')),
    });
  }
  return program;
}

function* everyCommand(command: Command): Generator<Command> {
  yield command;
  for (const sub of command.commands) yield* everyCommand(sub);
}

function makeOutput({ stdout, stderr, env }: Place, options: GlobalOptions): Output {
  const { json = false, ascii = false, verbose = false, quiet = false, color } = options;
  if (verbose && quiet) throw new GraceError('USAGE', '-v and -q contradict each other');
  return new Output({
    stdout,
    stderr,
    json,
    ascii,
    verbose,
    quiet,
    // https://no-color.org: any value that is not empty.
    color: color && !json && !env['NO_COLOR'] && stdout.isTTY === true,
  });
}
