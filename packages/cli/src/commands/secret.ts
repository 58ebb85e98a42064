import { GraceError } from '@grace/contracts';
import { Command } from 'commander';
import { OK } from '../exit.ts';
import { table } from '../output/table.ts';
import { readValue } from '../secret/read-value.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { withSystem } from '../system/connect.ts';
import { milliseconds, someOf, wholeNumber } from './arguments.ts';

const DEADLINE_MS = 15_000;
const RIGHTS = ['get', 'set', 'revoke'] as const;

interface SecretOptions extends GlobalOptions {
  number?: number;
  lease?: number;
  grace?: number;
  bytes?: number;
  stdin?: boolean;
  passphrase?: boolean;
  can?: string[];
  remove?: boolean;
}

interface Listed {
  name: string;
  can: string[];
  versions: { version: number; created: string; by: string }[];
}

interface Granted {
  principal: string;
  pattern: string;
  can: string[];
  by: string;
  since: string;
}

type Act = (session: Session, options: SecretOptions, words: (string | undefined)[]) => Promise<void>;

export function secretCommand(start: Start): Command {
  const secret = new Command('secret').description(
    'the encrypted vault; values come from standard input, never from the command line',
  );
  const add = (name: string, does: string, act: Act): Command =>
    secret
      .command(name)
      .description(does)
      .action(async (...given: unknown[]) => {
        const command = given.at(-1) as Command;
        const options = command.optsWithGlobals<SecretOptions>();
        await start(options, async (session) => {
          await act(session, options, command.args);
          return OK;
        });
      });
  const ageing = ['--grace <duration>', 'how long the version before is still handed out', milliseconds] as const;

  add('set <name>', 'keep the value that comes by standard input; a name that is there gets a new version', set).option(
    ...ageing,
  );
  add('get <name>', 'print the value', get)
    .option('--number <n>', 'of an older version', wholeNumber(1))
    .option('--lease <duration>', 'how long you will use it', milliseconds);
  add('list [pattern]', 'names and versions, no values', list);
  add(
    'rotate <name>',
    'a new version: random characters, or with --stdin the value that comes by standard input',
    rotate,
  )
    .option('--stdin', 'read the value')
    .option('--bytes <n>', 'random bytes the value is made of', wholeNumber(16, 1024))
    .option(...ageing);
  add('revoke <name>', 'take the secret, or one version of it, out of the vault', revoke).option(
    '--number <n>',
    'this version only',
    wholeNumber(1),
  );
  add(
    'rekey',
    'close the vault with a new key file, or with --passphrase by the passphrase that comes by standard input',
    rekey,
  ).option('--passphrase', 'read the new passphrase');
  add('grants [principal] [pattern]', 'who may do what; with --can give a grant, with --remove take it', grants)
    .option('--can <rights>', `of ${RIGHTS.join(', ')}`, someOf(RIGHTS))
    .option('--remove', 'take the grant away');
  return secret;
}

async function set(session: Session, { grace }: SecretOptions, [name]: (string | undefined)[]): Promise<void> {
  const value = await readValue(session, 'the value');
  const done = await ask<{ version: number; told: number }>(session, 'set', { name, value, graceMs: grace });
  tell(session, done, `${name} has version ${done.version}${toldText(done.told)}`);
}

async function get(session: Session, { number, lease }: SecretOptions, [name]: (string | undefined)[]): Promise<void> {
  const got = await ask<{ value: string }>(session, 'get', { name, version: number, leaseMs: lease });
  tell(session, got, got.value);
}

async function list(session: Session, _: SecretOptions, [pattern]: (string | undefined)[]): Promise<void> {
  const found = await ask<Listed[]>(session, 'list', { pattern });
  if (session.out.json) session.out.document(found);
  else {
    const columns = [
      { head: 'secret', cell: (one: Listed) => one.name },
      { head: 'version', cell: (one: Listed) => String(one.versions.at(-1)!.version) },
      { head: 'since', cell: (one: Listed) => one.versions.at(-1)!.created },
      { head: 'by', cell: (one: Listed) => one.versions.at(-1)!.by },
      { head: 'you may', cell: (one: Listed) => one.can.join(' ') },
    ];
    for (const line of table(columns, found)) session.out.line(line);
  }
}

async function rotate(session: Session, options: SecretOptions, [name]: (string | undefined)[]): Promise<void> {
  const { grace, bytes, stdin } = options;
  const value = stdin ? await readValue(session, 'the new value') : undefined;
  const done = await ask<{ version: number; told: number }>(session, 'rotate', { name, value, bytes, graceMs: grace });
  tell(session, done, `${name} has version ${done.version}${toldText(done.told)}`);
}

async function revoke(session: Session, { number }: SecretOptions, [name]: (string | undefined)[]): Promise<void> {
  const done = await ask<{ gone: boolean; ended: number }>(session, 'revoke', { name, version: number });
  tell(
    session,
    done,
    `${name}${done.gone ? '' : ` version ${number}`} is not in the vault any more${toldText(done.ended)}`,
  );
}

async function rekey(session: Session, { passphrase }: SecretOptions): Promise<void> {
  const given = passphrase ? await readValue(session, 'the new passphrase') : undefined;
  const done = await ask<{ done: boolean }>(session, 'rekey', { passphrase: given });
  tell(
    session,
    done,
    done.done
      ? 'the vault is closed with a new key'
      : 'the vault opens with the old key and the new one; put the new one where the configuration says, and from the next start on it alone opens it',
  );
}

async function grants(
  session: Session,
  { can, remove }: SecretOptions,
  [principal, pattern]: (string | undefined)[],
): Promise<void> {
  if (can !== undefined && remove)
    throw new GraceError('USAGE', '--can gives a grant and --remove takes it; expected one of them');
  const isChange = can !== undefined || remove === true;
  if (isChange !== (principal !== undefined && pattern !== undefined))
    throw new GraceError(
      'USAGE',
      'expected a principal and a pattern together with --can or --remove, or none of them',
    );
  const input = remove ? { remove: { principal, pattern } } : isChange ? { add: { principal, pattern, can } } : {};
  const all = await ask<Granted[]>(session, 'grants', input);
  if (session.out.json) session.out.document(all);
  else {
    const columns = [
      { head: 'principal', cell: (one: Granted) => one.principal },
      { head: 'names', cell: (one: Granted) => one.pattern },
      { head: 'may', cell: (one: Granted) => one.can.join(' ') },
      { head: 'by', cell: (one: Granted) => one.by },
      { head: 'since', cell: (one: Granted) => one.since },
    ];
    for (const line of table(columns, all)) session.out.line(line);
  }
}

async function ask<T>(session: Session, verb: string, input: Record<string, unknown>): Promise<T> {
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
  const answer = await withSystem(session, (client) =>
    client.request('call', { kernel: 'secret_manager', verb, input: given, from: 'cli' }, DEADLINE_MS),
  );
  return answer as T;
}

function tell({ out }: Session, document: unknown, line: string): void {
  if (out.json) out.document(document);
  else out.line(line);
}

function toldText(holders: number): string {
  return holders === 0 ? '' : `; ${holders} ${holders === 1 ? 'holder was' : 'holders were'} told`;
}
