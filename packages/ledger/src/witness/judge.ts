import { GraceError } from '@grace/contracts';
import { type Checkpoint, openCheckpoint, parseHead } from '../tree/checkpoint.ts';
import { EMPTY_ROOT } from '../tree/merkle.ts';
import { verifyConsistency } from '../tree/proofs.ts';
import { type AddCheckpoint, parseRequest, SIZE_TYPE } from './protocol.ts';
import type { WitnessRecord } from './record.ts';

export interface Answer {
  status: 200 | 400 | 403 | 404 | 409 | 422;
  body: string;
  type?: string;
}

/**
 * Judges an add-checkpoint request as https://c2sp.org/tlog-witness says, in its order: who signed, which size the asker believes in,
 * whether the new tree continues the one that was cosigned. Requests are judged one at a time, so that none overtakes another between its
 * check and its record.
 */
export function createJudge(record: WitnessRecord): (body: string) => Promise<Answer> {
  let turn: Promise<unknown> = Promise.resolve();
  return (body) => {
    const answer = turn.then(() => judge(record, body));
    turn = answer.catch(() => undefined);
    return answer;
  };
}

async function judge(record: WitnessRecord, body: string): Promise<Answer> {
  let request: AddCheckpoint;
  let origin: string;
  try {
    request = parseRequest(body);
    origin = parseHead(textOf(request.note)).origin;
  } catch (error) {
    return refusal(400, error);
  }
  const log = record.log(origin);
  if (!log) return { status: 404, body: `unknown log: ${origin}\n` };
  let checkpoint: Checkpoint;
  try {
    checkpoint = openCheckpoint(request.note, [log.verifier]);
  } catch (error) {
    return refusal(403, error);
  }
  const { old, proof, note } = request;
  const { size, root } = checkpoint;
  const seen = log.latest ?? { size: 0, root: EMPTY_ROOT };
  if (old > size) return { status: 400, body: `old size ${old} is beyond the checkpoint's ${size}\n` };
  if (old !== seen.size) return { status: 409, body: `${seen.size}\n`, type: SIZE_TYPE };
  if (!verifyConsistency(old, size, seen.root, root, proof)) {
    return { status: 422, body: `the consistency proof from ${old} to ${size} does not verify\n` };
  }
  return { status: 200, body: await record.cosign(checkpoint, textOf(note)) };
}

/** The signed part of a note; a checkpoint has no empty line before its signatures. */
function textOf(note: string): string {
  return note.slice(0, note.lastIndexOf('\n\n') + 1);
}

function refusal(status: 400 | 403, error: unknown): Answer {
  if (error instanceof GraceError && error.code === 'PROOF_INVALID') return { status, body: `${error.message}\n` };
  throw error;
}
