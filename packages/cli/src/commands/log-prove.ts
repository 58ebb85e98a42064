import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { GraceError, HOME } from '@grace/contracts';
import {
  type Checkpoint,
  checkProof,
  consistencyProof,
  formatConsistency,
  formatInclusion,
  inclusionProof,
  originOf,
  parseVkey,
  readCheckpoint,
  rootAt,
  TileReader,
  type Verifier,
  VKEY_FILE,
} from '@grace/ledger/tree';
import { Command, InvalidArgumentError } from 'commander';
import { OK } from '../exit.ts';
import { printable } from '../output/output.ts';
import type { GlobalOptions, Session, Start } from '../session.ts';
import { withSystem } from '../system/connect.ts';
import { wholeNumber } from './arguments.ts';

interface ProveOptions extends GlobalOptions {
  out?: string;
  consistency?: number[];
  check?: string;
  vkey?: string[];
}

/** What a proof is told by; the same from the running kernel and from the files. */
interface Proof {
  file: string | null;
  checkpoint: { origin: string; size: number; root: string; cosignatures: Checkpoint['cosignatures'] };
  vkey: string;
}

const VERB_DEADLINE_MS = 30_000;

export function logProveCommand(start: Start): Command {
  const size = wholeNumber(0);
  return new Command('prove')
    .description('prove that a record is in the signed tree, or that the tree only grew; or check such a proof')
    .argument('[seq]', 'the record to prove', wholeNumber(1))
    .option('--out <file>', 'write the proof there; it verifies without the system')
    .option(
      '--consistency <sizes...>',
      'prove that the tree of the first size is the beginning of that of the second; without a second: of the signed one',
      (text: string, sizes: number[] = []) => {
        if (sizes.length === 2) throw new InvalidArgumentError('expected at most two sizes.');
        return [...sizes, size(text)];
      },
    )
    .option('--check <file>', 'verify a proof file; needs no running system')
    .option(
      '--vkey <key...>',
      'with --check: the keys to trust, of the log and of witnesses (default: those in this home)',
    )
    .action(async (seq: number | undefined, _: unknown, command: Command) => {
      const options = command.optsWithGlobals<ProveOptions>();
      await start(options, (session) => run(session, seq, options));
    });
}

async function run(session: Session, seq: number | undefined, options: ProveOptions): Promise<number> {
  const { consistency, check } = options;
  const asked = [seq, consistency, check].filter((value) => value !== undefined);
  if (asked.length !== 1) throw new GraceError('USAGE', 'expected one of: a record, --consistency, --check');
  if (check !== undefined) return checkFile(session, check, options.vkey);
  const input =
    seq === undefined
      ? { from: consistency![0]!, ...(consistency![1] === undefined ? {} : { to: consistency![1] }) }
      : { seq };
  return tell(session, await prove(session, input), options.out);
}

async function prove(session: Session, input: { seq: number } | { from: number; to?: number }): Promise<Proof> {
  try {
    const ask = { kernel: 'immutable_log', verb: 'prove', input, from: 'cli' };
    return (await withSystem(session, (client) => client.request('call', ask, VERB_DEADLINE_MS))) as Proof;
  } catch (error) {
    if (!(error instanceof GraceError) || error.code !== 'NOT_RUNNING') throw error;
    return proveFromFiles(logFolder(session.home), input);
  }
}

/** Everything a proof needs is public, and stands in the folder of the log. */
async function proveFromFiles(dir: string, input: { seq: number } | { from: number; to?: number }): Promise<Proof> {
  const vkey = existsSync(join(dir, VKEY_FILE)) ? (await readFile(join(dir, VKEY_FILE), 'utf8')).trim() : null;
  const checkpoint = vkey === null ? null : await readCheckpoint(dir, [parseVkey(vkey)]);
  if (vkey === null || !checkpoint) throw new GraceError('NOT_FOUND', `there is no signed tree in ${dir}`, { dir });
  const { note, size, origin, root, cosignatures } = checkpoint;
  const reader = new TileReader(dir, size);
  const told = { checkpoint: { origin, size, root: root.toString('base64'), cosignatures }, vkey };
  if ('seq' in input) {
    const first = (JSON.parse((await reader.entries(0))[0]!.toString('utf8')) as { seq: number }).seq;
    const index = input.seq - first;
    if (index < 0 || index >= size) {
      const expected = `the signed tree holds the records ${first} to ${first + size - 1}`;
      throw new GraceError('NOT_FOUND', `there is no record ${input.seq} in it: ${expected}`, { seq: input.seq });
    }
    const extra = (await reader.entries(Math.floor(index / 256)))[index % 256]!;
    const hashes = await inclusionProof(index, size, reader.hash);
    return { ...told, file: formatInclusion({ index, hashes, extra, note }) };
  }
  const { from, to = size } = input;
  if (from > to || to > size)
    throw new GraceError('NOT_FOUND', `expected sizes up to ${size}, the smaller first, got ${from} and ${to}`);
  const hashes = await consistencyProof(from, to, reader.hash);
  const file =
    to === size ? formatConsistency({ from, rootFrom: await rootAt(from, reader.hash), hashes, note }) : null;
  return { ...told, file };
}

async function tell({ out, cwd }: Session, proof: Proof, file: string | undefined): Promise<number> {
  if (file !== undefined) {
    if (proof.file === null) {
      throw new GraceError(
        'USAGE',
        `only a proof that leads to the signed size ${proof.checkpoint.size} can stand in a file`,
      );
    }
    await writeFile(resolve(cwd, file), proof.file);
  }
  if (out.json) out.document(proof);
  else if (file === undefined) out.line((proof.file ?? JSON.stringify(proof, null, 2)).trimEnd());
  else out.line(`${file}: leads to size ${proof.checkpoint.size} of ${printable(proof.checkpoint.origin)}`);
  return OK;
}

async function checkFile({ out, cwd, home }: Session, file: string, vkeys: string[] | undefined): Promise<number> {
  const path = resolve(cwd, file);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new GraceError('NOT_FOUND', `${path} cannot be read: ${error.message}`, { path });
  });
  const keys = (vkeys ?? (await keysOf(home, originOf(text)))).map(parseVkey);
  const isLog = ({ kind }: Verifier) => kind === 'signature';
  const proof = checkProof(text, { logs: keys.filter(isLog), witnesses: keys.filter((key) => !isLog(key)) });
  const { origin, size, root, cosignatures } = proof.checkpoint;
  const leaf = proof.leaf?.toString('utf8') ?? null;
  const trusted = keys.map(({ vkey }) => vkey);
  if (out.json) {
    const told = { origin, size, root: root.toString('base64'), cosignatures };
    out.document({ ok: true, kind: proof.kind, at: proof.at, leaf, checkpoint: told, trusted });
    return OK;
  }
  const what =
    proof.kind === 'inclusion' ? `leaf ${proof.at} is in` : `the tree of size ${proof.at} is the beginning of`;
  out.line(`${out.paint('good', 'verified')}: ${what} the tree of size ${size} of ${printable(origin)}`);
  if (leaf !== null) out.line(printable(leaf));
  for (const { name, atMs } of cosignatures)
    out.line(`witnessed by ${printable(name)} at ${new Date(atMs).toISOString()}`);
  if (vkeys === undefined) out.note(`trusted because they stand in ${home}: ${trusted.join(' ')}`);
  return OK;
}

/** The keys that this home knows: of the log, and of its own witness. */
async function keysOf(home: string, origin: string): Promise<string[]> {
  const read = async (path: string) => (existsSync(path) ? [(await readFile(path, 'utf8')).trim()] : []);
  const log = await read(join(logFolder(home), VKEY_FILE));
  if (log.length === 0)
    throw new GraceError('USAGE', `this home knows no key of ${printable(origin)}; give it with --vkey`);
  return [...log, ...(await read(join(home, HOME.state, 'immutable_log-witness', 'vkey')))];
}

const logFolder = (home: string): string => join(home, HOME.state, 'immutable_log', 'log');
