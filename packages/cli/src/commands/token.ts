import { GraceError } from '@grace/contracts';
import { Command } from 'commander';
import { OK } from '../exit.ts';
import { table } from '../output/table.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { withSystem } from '../system/connect.ts';
import { list as listOf, milliseconds, oneOf } from './arguments.ts';

const DEADLINE_MS = 10_000;
const ROLES = ['viewer', 'operator', 'admin'] as const;

interface TokenOptions extends GlobalOptions {
  role: (typeof ROLES)[number];
  for?: number;
  verbs?: string[];
}

interface Shown {
  id: string;
  principal: string;
  role: string;
  verbs: string[] | null;
  created: string;
  by: string;
  expires: string | null;
  used: string | null;
}

export function tokenCommand(start: Start): Command {
  const token = new Command('token').description('who may use the HTTP server, and for what');
  token
    .command('add')
    .description('make a token; it is shown once')
    .argument('<principal>', 'who acts with it, as api_server:<principal>')
    .option('--role <role>', `one of ${ROLES.join(', ')}`, oneOf(ROLES), 'viewer')
    .option('--for <duration>', 'how long it is valid (default: until it is revoked)', milliseconds)
    .option(
      '--verbs <patterns>',
      'only these verbs, like scheduler.*,librarian.ingest',
      listOf('a verb like scheduler.add'),
    )
    .action(async (principal: string, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<TokenOptions>();
      await start(options, (session) => add(session, principal, options));
    });
  token
    .command('list')
    .description('who has one; tokens themselves are kept nowhere')
    .action(async (_: unknown, command: Command) => {
      await start(command.optsWithGlobals<GlobalOptions>(), list);
    });
  token
    .command('revoke')
    .description('end a token, and the event streams opened with it')
    .argument('<id>', 'as the list shows it')
    .action(async (id: string, _: unknown, command: Command) => {
      await start(command.optsWithGlobals<GlobalOptions>(), (session) => revoke(session, id));
    });
  return token;
}

async function add(session: Session, principal: string, options: TokenOptions): Promise<number> {
  const wish = {
    principal,
    role: options.role,
    ...(options.for === undefined ? {} : { forMs: Math.round(options.for) }),
    ...(options.verbs === undefined ? {} : { verbs: options.verbs }),
  };
  const made = (await ask(session, { add: wish })) as Shown & { token: string };
  const { out } = session;
  if (out.json) out.document(made);
  else {
    out.line(made.token);
    const until = made.expires === null ? 'until it is revoked' : `until ${made.expires}`;
    out.note(`token ${made.id}: ${made.role} for ${made.principal}, valid ${until}; it is not shown again`);
  }
  return OK;
}

async function list(session: Session): Promise<number> {
  const { out } = session;
  const tokens = (await ask(session, {})) as Shown[];
  if (out.json) out.document(tokens);
  else {
    const columns = [
      { head: 'token', cell: ({ id }: Shown) => id },
      { head: 'principal', cell: ({ principal }: Shown) => principal },
      { head: 'role', cell: ({ role }: Shown) => role },
      { head: 'verbs', cell: ({ verbs }: Shown) => verbs?.join(' ') ?? 'of the role' },
      { head: 'by', cell: ({ by }: Shown) => by },
      { head: 'until', cell: ({ expires }: Shown) => expires ?? 'revoked' },
      { head: 'used', cell: ({ used }: Shown) => used ?? 'never' },
    ];
    for (const line of table(columns, tokens)) out.line(line);
  }
  return OK;
}

async function revoke(session: Session, id: string): Promise<number> {
  if (!/^[0-9a-f]{8}$/.test(id))
    throw new GraceError('USAGE', 'expected the id of a token, 8 hexadecimal digits; grace token list shows them');
  const ended = (await ask(session, { revoke: id })) as Shown;
  const { out } = session;
  if (out.json) out.document(ended);
  else out.line(`token ${ended.id} of ${ended.principal} is not valid any more`);
  return OK;
}

async function ask(session: Session, input: object): Promise<unknown> {
  return await withSystem(session, (client) =>
    client.request('call', { kernel: 'api_server', verb: 'tokens', input, from: 'cli' }, DEADLINE_MS),
  );
}
