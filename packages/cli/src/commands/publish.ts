import { Command } from 'commander';
import { OK } from '../exit.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { withBus } from '../system/bus.ts';
import { milliseconds, readJson } from './arguments.ts';

interface PublishOptions extends GlobalOptions {
  as: string;
  deadline: number;
}

export function publishCommand(start: Start): Command {
  return new Command('publish')
    .description('put one message on the bus; done when the broker has accepted it')
    .argument('<subject>', 'dot-separated tokens')
    .argument('[json]', 'the payload, or - to read it from standard input')
    .option('--as <principal>', 'whose access rules apply', 'cli')
    .option('--deadline <duration>', 'how long to wait for acceptance', milliseconds, 5000)
    .action(async (subject: string, json: string | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<PublishOptions>();
      await start(options, (session) => publish(session, subject, json, options));
    });
}

async function publish(
  session: Session,
  subject: string,
  json: string | undefined,
  options: PublishOptions,
): Promise<number> {
  const { out } = session;
  const payload = await readJson(json, session.stdin);
  const { id } = await withBus(session, options.as, (bus) =>
    bus.publish(subject, payload ?? null, { deadlineMs: options.deadline }),
  );
  if (out.json) out.document({ id, subject });
  else out.line(`accepted: ${id}`);
  return OK;
}
