import type { Message } from '@grace/bus/client';
import { type Envelope, EXIT, GraceError } from '@grace/contracts';
import { Command } from 'commander';
import { OK } from '../exit.ts';
import { showTime } from '../output/figures.ts';
import { type Output, printable } from '../output/output.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { withBus } from '../system/bus.ts';
import { watchInterrupts } from '../system/interrupts.ts';
import { wholeNumber } from './arguments.ts';

interface TapOptions extends GlobalOptions {
  count?: number;
  as: string;
}

export function tapCommand(start: Start): Command {
  return new Command('tap')
    .description('follow traffic on the bus until Ctrl-C')
    .argument('<subject>', "a subject or pattern: '*' is one token, '>' the rest")
    .option('-n, --count <messages>', 'end after this many', wholeNumber(1))
    .option('--as <principal>', 'whose access rules apply', 'cli')
    .action(async (subject: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<TapOptions>();
      await start(options, (session) => tap(session, subject, options));
    });
}

/** A person reads slowly: what comes too fast is dropped here, never held back from the others. */
async function tap(session: Session, pattern: string, { count, as }: TapOptions): Promise<number> {
  const { out } = session;
  const interrupts = watchInterrupts();
  try {
    return await withBus(session, as, async (bus, client) => {
      const over = Promise.withResolvers<number>();
      let seen = 0;
      const take = (message: Message): void => {
        if (count !== undefined && seen >= count) return;
        seen++;
        show(message, out);
        if (seen === count) over.resolve(OK);
      };
      client.onClose(() => over.reject(new GraceError('CONNECTION_CLOSED', 'the system ended')));
      await bus.subscribe(pattern, take, { policy: 'drop-oldest', onEnd: over.reject });
      out.note(`tapping ${pattern} as ${as}; Ctrl-C ends`);
      return await Promise.race([over.promise, interrupts.first.then(() => EXIT.interrupted)]);
    });
  } finally {
    interrupts.done();
  }
}

function show(message: Message, out: Output): void {
  const { id, subject, from, at, kind, priority, correlation, causation, deadlineMono, schema, payload, replyTo } =
    message;
  if (out.json) {
    out.record({
      id,
      subject,
      from,
      at,
      kind,
      priority,
      correlation,
      causation,
      deadlineMono,
      schema,
      payload,
      replyTo,
    } satisfies Record<keyof Envelope, unknown>);
    return;
  }
  const what = kind === 'event' ? '' : ` ${kind}`;
  const body = printable(JSON.stringify(payload) ?? 'nothing');
  out.line(
    `${out.paint('dim', showTime(at))} ${out.paint('bold', printable(subject))}  ${printable(from)}${what}  ${body}`,
  );
}
