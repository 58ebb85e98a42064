import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EXIT, GraceError } from '@grace/contracts';
import { Command, CommanderError } from 'commander';
import { exitCodeOf } from './exit.ts';
import { Output } from './output/output.ts';
import type { GlobalOptions, Place, Start } from './session.ts';

/** Each command is loaded only when it is asked for: what `status` needs is a tenth of what `stress` does. */
const COMMANDS: Readonly<Record<string, () => Promise<(start: Start) => Command>>> = {
  boot: async () => (await import('./commands/boot.ts')).bootCommand,
  status: async () => (await import('./commands/status.ts')).statusCommand,
  top: async () => (await import('./commands/status.ts')).statusCommand,
  stop: async () => (await import('./commands/stop.ts')).stopCommand,
  restart: async () => (await import('./commands/restart.ts')).restartCommand,
  isolate: async () => (await import('./commands/isolate.ts')).isolateCommand,
  pause: async () => (await import('./commands/pause.ts')).pauseCommand,
  resume: async () => (await import('./commands/resume.ts')).resumeCommand,
  quarantine: async () => (await import('./commands/quarantine.ts')).quarantineCommand,
  throttle: async () => (await import('./commands/throttle.ts')).throttleCommand,
  stack: async () => (await import('./commands/stack.ts')).stackCommand,
  profile: async () => (await import('./commands/profile.ts')).profileCommand,
  logs: async () => (await import('./commands/logs.ts')).logsCommand,
  incidents: async () => (await import('./commands/incidents.ts')).incidentsCommand,
  explain: async () => (await import('./commands/explain.ts')).explainCommand,
  call: async () => (await import('./commands/call.ts')).callCommand,
  tap: async () => (await import('./commands/tap.ts')).tapCommand,
  publish: async () => (await import('./commands/publish.ts')).publishCommand,
  bus: async () => (await import('./commands/bus.ts')).busCommand,
  stress: async () => (await import('./commands/stress.ts')).stressCommand,
  report: async () => (await import('./commands/report.ts')).reportCommand,
  scenario: async () => (await import('./commands/scenario.ts')).scenarioCommand,
  approvals: async () => (await import('./commands/governance.ts')).approvalsCommand,
  policy: async () => (await import('./commands/governance.ts')).policyCommand,
  secret: async () => (await import('./commands/secret.ts')).secretCommand,
  token: async () => (await import('./commands/token.ts')).tokenCommand,
  log: async () => (await import('./commands/log.ts')).logCommand,
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
};

/** Global options whose value is the next word. */
const WITH_VALUE = new Set(['--home', '--config']);

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
    await makeProgram(version, await commandsFor(argv), start, out).parseAsync(argv, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Help and version end here too; commander has written them, and its own complaints, already.
      if (error.exitCode === 0) return 0;
      if (out.json) out.document({ error: { code: 'USAGE', message: complaint(error.message) } });
      return EXIT.usage;
    }
    out.error(error);
    return exitCodeOf(error);
  }
}

/** The command that is asked for; all of them where none is, or one that does not exist, so that help and suggestions are whole. */
async function commandsFor(argv: readonly string[]): Promise<((start: Start) => Command)[]> {
  const word = argv.find((arg, i) => !arg.startsWith('-') && !WITH_VALUE.has(argv[i - 1] ?? ''));
  const one = word === undefined || !Object.hasOwn(COMMANDS, word) ? undefined : COMMANDS[word];
  if (one) return [await one()];
  return await Promise.all(
    Object.entries(COMMANDS)
      .map(([name, load]) => (name === 'top' ? null : load()))
      .filter((loading) => loading !== null),
  );
}

function makeProgram(
  version: string,
  commands: readonly ((start: Start) => Command)[],
  start: Start,
  out: Output,
): Command {
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
  for (const make of commands) program.addCommand(make(start));
  for (const command of everyCommand(program)) {
    command.exitOverride().configureHelp({ showGlobalOptions: true });
    command.configureOutput({
      writeOut: (text) => out.line(text.trimEnd()),
      writeErr: (text) => out.complain(text),
      outputError: (text, write) => write(`grace: ${complaint(text)}`),
    });
  }
  return program;
}

/** What the parser complains of, in words that say what is wrong: to it, a negative value with a unit is an option it does not know. */
function complaint(text: string): string {
  return text
    .replace(/^error: /, '')
    .replace(/unknown option '(-\.?\d[^']*)'/, "the value '$1' is negative; expected one above zero");
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
