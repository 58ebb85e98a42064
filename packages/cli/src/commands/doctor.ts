import { Command } from 'commander';
import { apiFindings } from '../doctor/api.ts';
import type { Finding } from '../doctor/finding.ts';
import { homeFindings } from '../doctor/home.ts';
import { limitFindings } from '../doctor/limits.ts';
import { signalFindings } from '../doctor/signals.ts';
import { FAILURE, OK } from '../exit.ts';
import { type Output, printable } from '../output/output.ts';
import { table } from '../output/table.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';

export function doctorCommand(start: Start): Command {
  return new Command('doctor')
    .description('which signals and limits are live on this machine, and why others are not')
    .action(async (_: unknown, command: Command) => {
      await start(command.optsWithGlobals<GlobalOptions>(), doctor);
    });
}

async function doctor(session: Session): Promise<number> {
  const { out, home, version } = session;
  const machine = {
    grace: version,
    node: process.versions.node,
    v8: process.versions.v8,
    platform: `${process.platform} ${process.arch}`,
    cores: navigator.hardwareConcurrency,
  };
  const groups = {
    signals: await signalFindings(),
    limits: await limitFindings(),
    home: [...(await homeFindings(home)), ...(await apiFindings(home))],
  };
  const missing = Object.values(groups)
    .flat()
    .filter(({ required, state }) => required && state !== 'live');
  if (out.json) {
    out.document({ ok: missing.length === 0, machine, ...groups });
  } else {
    out.line(
      Object.entries(machine)
        .map(([name, value]) => `${name} ${value}`)
        .join(', '),
    );
    for (const [name, findings] of Object.entries(groups)) {
      out.line();
      for (const line of findingLines(name, findings, out)) out.line(line);
    }
    out.line();
    out.line(
      missing.length === 0
        ? 'Grace can run here.'
        : out.paint('bad', `Grace cannot run here: ${missing.map(({ title }) => title).join(', ')}`),
    );
  }
  return missing.length === 0 ? OK : FAILURE;
}

function findingLines(group: string, findings: readonly Finding[], out: Output): string[] {
  const tone = { live: 'good', absent: 'warn', unused: 'dim' } as const;
  return table(
    [
      { head: group.toUpperCase(), cell: ({ title }) => title },
      { head: 'STATE', cell: ({ state }) => out.paint(tone[state], state) },
      { head: '', cell: ({ detail }) => printable(detail).split('\n')[0]! },
    ],
    findings,
    (head) => out.paint('dim', head),
  );
}
