import { HASH_BYTES } from '../tree/merkle.ts';
import { decode, invalid } from '../tree/note.ts';

/** The request of C2SP tlog-witness: https://c2sp.org/tlog-witness */
export interface AddCheckpoint {
  /** Size of the newest checkpoint the witness has, as the asker believes. */
  old: number;
  /** From there to the size of the checkpoint. */
  proof: Buffer[];
  /** A signed checkpoint. */
  note: string;
}

const PROOF_LINES_MAX = 63;
export const SIZE_TYPE = 'text/x.tlog.size';
export const ADD_CHECKPOINT = '/add-checkpoint';
export const BODY_BYTES_MAX = 64 * 1024;

export function formatRequest({ old, proof, note }: AddCheckpoint): string {
  return [`old ${old}`, ...proof.map((hash) => hash.toString('base64')), '', note].join('\n');
}

/** @throws GraceError `PROOF_INVALID` when it is no such request */
export function parseRequest(body: string): AddCheckpoint {
  const border = body.indexOf('\n\n');
  if (border < 0) throw invalid('the request has no empty line before the checkpoint');
  const [first = '', ...lines] = body.slice(0, border).split('\n');
  const [, old] = /^old (0|[1-9]\d*)$/.exec(first) ?? [];
  if (old === undefined || !Number.isSafeInteger(Number(old)))
    throw invalid('the request does not begin with "old <size>"');
  if (lines.length > PROOF_LINES_MAX) throw invalid(`a proof has at most ${PROOF_LINES_MAX} lines`);
  const proof = lines.map((line) => {
    const hash = decode(line);
    if (hash?.length !== HASH_BYTES) throw invalid(`not a hash: ${line.slice(0, 60)}`);
    return hash;
  });
  return { old: Number(old), proof, note: body.slice(border + 2) };
}
