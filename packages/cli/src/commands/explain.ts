import { didYouMean, GraceError } from '@grace/contracts';
import { Command } from 'commander';
import { OK } from '../exit.ts';
import { askStory, decisionLines } from '../explain/decision.ts';
import { recordsAround } from '../explain/journal-records.ts';
import { storyLines } from '../explain/story-lines.ts';
import { storyOf } from '../explain/tell.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';

/** How many incidents are named when the one asked for is not there. */
const NAMED = 5;

export function explainCommand(start: Start): Command {
  const command = new Command('explain')
    .description('the story of an incident, from the journal alone: signs, judgement, deeds, end, cause')
    .argument('[incident]', 'its id; default: the last one')
    .action(async (id: string | undefined, _: unknown, command: Command) => {
      await start(command.optsWithGlobals<GlobalOptions>(), (session) => explain(session, id));
    });
  command
    .command('decision')
    .description('the story of a decision on record: what led to it, who decided what and why, what came of it')
    .argument('<id>', 'of the decision: grace call clarity_framework decisions')
    .action(async (id: string, _: unknown, command: Command) => {
      await start(command.optsWithGlobals<GlobalOptions>(), (session) => explainDecision(session, id));
    });
  return command;
}

async function explainDecision(session: Session, id: string): Promise<number> {
  const { out, home } = session;
  const story = await askStory(home, id);
  if (out.json) out.document(story);
  else for (const line of decisionLines(story, out)) out.line(line);
  return OK;
}

async function explain(session: Session, id: string | undefined): Promise<number> {
  const { out, home } = session;
  const { records, ids } = await recordsAround(home, id);
  const wanted = id ?? ids.at(-1);
  if (wanted === undefined) {
    if (out.json) out.document(null);
    else out.line('no incidents');
    return OK;
  }
  if (!ids.includes(wanted)) throw unknown(wanted, ids);
  const story = storyOf(records, wanted);
  if (out.json) out.document(story);
  else for (const line of storyLines(story, out)) out.line(line);
  return OK;
}

function unknown(id: string, ids: readonly string[]): GraceError {
  const last = ids.slice(-NAMED);
  const known =
    last.length === 0
      ? 'there are none'
      : `the last ${last.length === 1 ? 'one is' : `${last.length} are`} ${last.join(', ')}`;
  return new GraceError('UNKNOWN_INCIDENT', `there is no incident "${id}"${didYouMean(id, ids)}; ${known}`, {
    incident: id,
    last,
  });
}
