import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { EXIT, GraceError } from '@grace/contracts';
import { checkPolicies, readPolicySources } from '@grace/kernels';
import { Command } from 'commander';
import { loadConfig, policyFolders } from '../config/load.ts';
import { OK } from '../exit.ts';
import { printable } from '../output/output.ts';
import { table } from '../output/table.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { withSystem } from '../system/connect.ts';
import { milliseconds, oneOf, readJson } from './arguments.ts';

const STATES = ['pending', 'approved', 'denied', 'used', 'expired'] as const;
const DEADLINE_MS = 10_000;

interface Approval {
  id: string;
  principal: string;
  action: string;
  resource: string;
  reason: string;
  state: string;
  until: string;
}

export function approvalsCommand(start: Start): Command {
  const approvals = new Command('approvals').description(
    'what policies let happen only after somebody has approved it',
  );
  approvals
    .command('list')
    .description('requests, the newest first')
    .option('--state <state>', `only ${STATES.join(', ')}`, oneOf(STATES))
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { state?: string }>();
      await start(options, (session) => listApprovals(session, options.state));
    });
  approvals
    .command('approve')
    .description('let it happen: once, or for a time')
    .argument('<id>', 'of the request')
    .option('--for <duration>', 'as often as it is asked for so long', milliseconds)
    .option('--note <text>', 'why')
    .action(async (id: string, _: unknown, command: Command) => {
      const {
        for: forMs,
        note,
        ...options
      } = command.optsWithGlobals<GlobalOptions & { for?: number; note?: string }>();
      await start(options, (session) => settle(session, 'approve', { id, ...given({ forMs, note }) }));
    });
  approvals
    .command('deny')
    .description('refuse it, or take an approval back')
    .argument('<id>', 'of the request')
    .option('--note <text>', 'why')
    .action(async (id: string, _: unknown, command: Command) => {
      const { note, ...options } = command.optsWithGlobals<GlobalOptions & { note?: string }>();
      await start(options, (session) => settle(session, 'deny', { id, ...given({ note }) }));
    });
  return approvals;
}

export function policyCommand(start: Start): Command {
  const policy = new Command('policy').description('what governance decides by');
  policy
    .command('list')
    .description('the policies in force')
    .action(async (_: unknown, command: Command) => {
      await start(command.optsWithGlobals<GlobalOptions>(), listPolicies);
    });
  policy
    .command('validate')
    .description('check folders of policies, without a system; without a folder, those of the configuration')
    .argument('[folders...]', 'checked together with the built-in ones')
    .action(async (folders: string[], _: unknown, command: Command) => {
      await start(command.optsWithGlobals<GlobalOptions>(), (session) => validate(session, folders));
    });
  policy
    .command('reload')
    .description('put what stands in the folders in force, if all of it is valid')
    .action(async (_: unknown, command: Command) => {
      await start(command.optsWithGlobals<GlobalOptions>(), async (session) => {
        session.out.document(await ask(session, 'reload', {}));
        return OK;
      });
    });
  policy
    .command('simulate')
    .description('what would be decided; nothing happens')
    .argument('<principal>', 'who asks')
    .argument('<action>', 'what for')
    .argument('<resource>', 'of what')
    .argument('[json]', 'the context, or - to read it from standard input')
    .option('--with <file>', 'with this policy file beside, or in the place of, those in force')
    .option('--version <hash>', 'by a former version')
    .action(
      async (
        principal: string,
        action: string,
        resource: string,
        json: string | undefined,
        _: unknown,
        command: Command,
      ) => {
        const {
          with: file,
          version,
          ...options
        } = command.optsWithGlobals<GlobalOptions & { with?: string; version?: string }>();
        await start(options, (session) => simulate(session, { principal, action, resource, json, file, version }));
      },
    );
  return policy;
}

async function listApprovals(session: Session, state: string | undefined): Promise<number> {
  const { out } = session;
  const found = (await ask(session, 'approvals', given({ state }))) as Approval[];
  if (out.json) {
    out.document(found);
    return OK;
  }
  const lines = table<Approval>(
    [
      { head: 'REQUEST', cell: ({ id }) => id },
      { head: 'STATE', cell: (approval) => approval.state },
      { head: 'UNTIL', cell: ({ until }) => until },
      { head: 'WHO', cell: ({ principal }) => printable(principal) },
      { head: 'WHAT', cell: ({ action, resource }) => printable(`${action} ${resource}`) },
      { head: 'WHY', cell: ({ reason }) => printable(reason) },
    ],
    found,
    (head) => out.paint('dim', head),
  );
  for (const line of lines) out.line(line);
  return OK;
}

async function settle(session: Session, verb: 'approve' | 'deny', input: Record<string, unknown>): Promise<number> {
  const { out } = session;
  const approval = (await ask(session, verb, input)) as Approval;
  if (out.json) out.document(approval);
  else
    out.line(
      `${approval.state} ${approval.id}: ${printable(`${approval.principal} ${approval.action} ${approval.resource}`)}, until ${approval.until}`,
    );
  return OK;
}

interface Note {
  id: string;
  effect: string;
  file: string;
  line: number;
  approvable: boolean;
}

async function listPolicies(session: Session): Promise<number> {
  const { out } = session;
  const found = (await ask(session, 'policies', {})) as {
    version: string;
    policies: Note[];
    sources: { changed: string[]; error: string | null };
  };
  if (out.json) {
    out.document(found);
    return OK;
  }
  const lines = table<Note>(
    [
      { head: 'POLICY', cell: ({ id }) => id },
      { head: 'EFFECT', cell: ({ effect, approvable }) => (approvable ? `${effect}, looks at approval` : effect) },
      { head: 'AT', cell: ({ file, line }) => `${file}:${line}` },
    ],
    found.policies,
    (head) => out.paint('dim', head),
  );
  for (const line of lines) out.line(line);
  out.line(`version ${found.version}`);
  const { changed, error } = found.sources;
  if (error !== null) out.line(`${out.paint('bad', 'the folders cannot be put in force')}: ${printable(error)}`);
  if (changed.length > 0) out.line(`changed since, not in force: ${changed.join(', ')} (grace policy reload)`);
  return OK;
}

async function validate(session: Session, folders: readonly string[]): Promise<number> {
  const { out, cwd } = session;
  const builtin = policyFolders(session, (await loadConfig(session)).config);
  const all = folders.length > 0 ? [builtin[0]!, ...folders.map((folder) => resolve(cwd, folder))] : builtin;
  try {
    const { version, policies, actions } = checkPolicies(await readPolicySources(all));
    const found = { ok: true, version, policies: Object.keys(policies).length, actions: Object.keys(actions).length };
    if (out.json) out.document({ ...found, problem: null });
    else
      out.line(
        `${out.paint('good', 'valid')} ${found.policies} policies over ${found.actions} actions, version ${version}`,
      );
    return OK;
  } catch (error) {
    if (!(error instanceof GraceError) || error.code !== 'POLICY_INVALID') throw error;
    if (out.json) out.document({ ok: false, problem: error.message, problems: error.details['problems'] ?? [] });
    else out.line(`${out.paint('bad', 'invalid')}\n${printable(error.message)}`);
    return EXIT.usage;
  }
}

interface Simulation {
  principal: string;
  action: string;
  resource: string;
  json: string | undefined;
  file: string | undefined;
  version: string | undefined;
}

async function simulate(
  session: Session,
  { principal, action, resource, json, file, version }: Simulation,
): Promise<number> {
  const { out, cwd } = session;
  const context = await readJson(json, session.stdin);
  const files = file && [{ name: basename(file), text: await readText(resolve(cwd, file)) }];
  const question = { principal, action, resource, ...given({ context, version, files }) };
  const answer = (await ask(session, 'simulate', question)) as { outcome: string; reason: string };
  if (out.json) out.document(answer);
  else out.line(`${answer.outcome}: ${printable(answer.reason)}`);
  return OK;
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new GraceError('CONFIG_UNREADABLE', `cannot read ${file}: ${(cause as Error).message}`, { file }, { cause });
  }
}

function ask(session: Session, verb: string, input: Record<string, unknown>): Promise<unknown> {
  return withSystem(session, (client) =>
    client.request('call', { kernel: 'governance', verb, input, from: 'cli' }, DEADLINE_MS),
  );
}

function given(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
