import { didYouMean, GraceError } from '@grace/contracts';
import { Command } from 'commander';
import { OK } from '../exit.ts';
import { printable } from '../output/output.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { withSystem } from '../system/connect.ts';
import { milliseconds, readJson } from './arguments.ts';
import { pick } from './pick.ts';

interface CallOptions extends GlobalOptions {
  deadline: number;
  pick?: string;
}

export function callCommand(start: Start): Command {
  return new Command('call')
    .description("ask one of a kernel's verbs; without a verb, list them")
    .argument('<kernel>', 'its id')
    .argument('[verb]', 'what to ask of it')
    .argument('[json]', 'the input, or - to read it from standard input')
    .option('--deadline <duration>', 'how long to wait for the answer', milliseconds, 10_000)
    .option('--pick <path>', 'print only what the answer has there, such as items.0.id; a text without quotes')
    .action(
      async (kernel: string, verb: string | undefined, json: string | undefined, _: unknown, command: Command) => {
        const options = command.optsWithGlobals<CallOptions>();
        await start(options, (session) =>
          verb === undefined ? listVerbs(session, kernel) : call(session, kernel, verb, json, options),
        );
      },
    );
}

async function listVerbs(session: Session, kernel: string): Promise<number> {
  const { out } = session;
  const verbs = await withSystem(session, (client) => client.request('verbs', { kernel }));
  if (out.json) out.document(verbs);
  else for (const verb of verbs) out.line(verb);
  return OK;
}

async function call(
  session: Session,
  kernel: string,
  verb: string,
  json: string | undefined,
  { deadline, pick: path }: CallOptions,
): Promise<number> {
  const input = await readJson(json, session.stdin);
  if (json !== '-') refuseSecrets(kernel, input);
  const answer = await withSystem(session, async (client) => {
    try {
      return await client.request('call', { kernel, verb, input, from: 'cli' }, deadline);
    } catch (error) {
      if (!(error instanceof GraceError) || error.code !== 'UNKNOWN_VERB') throw error;
      const verbs = await client.request('verbs', { kernel });
      throw new GraceError(
        'UNKNOWN_VERB',
        `${kernel} has no verb "${verb}"${didYouMean(verb, verbs)}; its verbs: ${verbs.join(', ')}`,
        { kernel, verb, verbs },
      );
    }
  });
  const { out } = session;
  const picked = path === undefined ? answer : pick(answer, path);
  // A text that would steer a terminal stays JSON.
  if (path !== undefined && typeof picked === 'string' && !out.json && printable(picked) === picked) out.line(picked);
  else out.document(picked);
  return OK;
}

/** The words of a command line stand in the list of processes, for everybody to read. */
function refuseSecrets(kernel: string, input: unknown): void {
  if (kernel !== 'secret_manager' || input === null || typeof input !== 'object') return;
  const field = ['value', 'passphrase'].find((name) => Object.hasOwn(input, name));
  if (field === undefined) return;
  throw new GraceError(
    'USAGE',
    `a ${field} on the command line can be read by everybody on this machine; give the input by standard input, with - in its place, or use: grace secret`,
  );
}
