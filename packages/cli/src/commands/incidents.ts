import type { Incident } from '@grace/contracts';
import { Command } from 'commander';
import { OK } from '../exit.ts';
import { recordsAround } from '../explain/journal-records.ts';
import type { EvidenceFile } from '../explain/story.ts';
import { evidenceLines } from '../explain/story-lines.ts';
import { storyOf } from '../explain/tell.ts';
import { showMs, showTime } from '../output/figures.ts';
import { type Output, printable } from '../output/output.ts';
import { table } from '../output/table.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { withSystem } from '../system/connect.ts';

export function incidentsCommand(start: Start): Command {
  return new Command('incidents')
    .description('what went wrong, what noticed it, and how it ended')
    .argument('[id]', 'one incident in full')
    .action(async (id: string | undefined, _: unknown, command: Command) => {
      await start(command.optsWithGlobals<GlobalOptions>(), (session) => incidents(session, id));
    });
}

async function incidents(session: Session, id: string | undefined): Promise<number> {
  const { out } = session;
  const found = await withSystem(session, (client) => client.request('incidents', id === undefined ? {} : { id }));
  if (id !== undefined) {
    const { evidence } = storyOf((await recordsAround(session.home, id)).records, id);
    for (const incident of found) {
      if (out.json) out.document({ ...incident, evidence });
      else for (const line of inFull(incident, evidence, out)) out.line(line);
    }
  } else if (out.json) out.document(found);
  else if (found.length === 0) out.line('no incidents');
  else for (const line of overview(found, out)) out.line(line);
  return OK;
}

function overview(incidents: readonly Incident[], out: Output): string[] {
  return table(
    [
      { head: 'ID', cell: ({ id }) => id },
      { head: 'OPENED', cell: ({ openedWall }) => showTime(openedWall) },
      { head: 'SEVERITY', cell: ({ severity }) => severity },
      { head: 'SUBJECT', cell: ({ subject }) => subject },
      { head: 'STATE', cell: (incident) => stateOf(incident, out) },
      { head: 'TITLE', cell: ({ title }) => printable(title) },
    ],
    incidents,
    (head) => out.paint('dim', head),
  );
}

function stateOf({ closedMono, openedMono, escalated }: Incident, out: Output): string {
  if (closedMono !== undefined) return `closed after ${showMs(closedMono - openedMono)}`;
  return escalated ? out.paint('bad', 'escalated') : out.paint('warn', 'open');
}

function inFull(incident: Incident, evidence: readonly EvidenceFile[], out: Output): string[] {
  const { id, kind, subject, cell, severity, title, openedWall, openedMono, outcome, condition, detectors, events } =
    incident;
  return [
    out.paint('bold', `${id}  ${printable(title)}`),
    `kind       ${kind}, ${severity}`,
    `subject    ${subject}${cell === undefined ? '' : ` in cell ${cell}`}`,
    `opened     ${new Date(openedWall).toISOString()}`,
    `state      ${stateOf(incident, out)}${outcome === undefined ? '' : `: ${printable(outcome)}`}`,
    ...(condition === undefined ? [] : [`condition  ${condition}`]),
    ...detectors.map(
      ({ method, atMono, evidence }) =>
        `noticed    by ${method} after ${showMs(Math.max(0, atMono - openedMono))}: ${printable(JSON.stringify(evidence))}`,
    ),
    `records    ${events.map((seq) => `#${seq}`).join(' ') || 'none'}`,
    ...(evidence.length === 0 ? [] : ['evidence', ...evidence.flatMap((file) => evidenceLines(file, out))]),
    out.paint('dim', `grace explain ${id} tells the story`),
  ];
}
