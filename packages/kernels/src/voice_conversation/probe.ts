import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { AUDIO, bytesOf, toSample } from './audio/pcm.ts';
import type { Live } from './intents/live.ts';
import { tellFacts } from './intents/tell.ts';
import type { Understanding } from './intents/understand.ts';
import { Ears, spokenTurn } from './sessions/ears.ts';
import type { SessionBook } from './sessions/session-book.ts';
import type { TurnBook } from './sessions/turn-book.ts';
import type { Settings } from './settings.ts';
import type { Doorway } from './socket/doorway.ts';
import { PATH } from './socket/entrance.ts';

export interface ProbeParts {
  ctx: KernelContext;
  settings: Settings;
  understanding: Understanding;
  live: Pick<Live, 'kernels' | 'ask' | 'nowMs'>;
  status(): Record<string, unknown>;
  sessions: SessionBook;
  turns: TurnBook;
  doorway: Doorway;
  onProbe(): void;
}

/** A burst of 400 ms between silences; what is cut may differ by two looks of the cutter. */
const BURST = { fromMs: 320, ms: 400, hz: 440, amplitude: 8000, tailMs: 700, toleranceMs: 64 };
const PIECE_BYTES = 7000;
const QUESTION = 'How is voice conversation?';
const DIAL_MS = 1500;

/**
 * The job once. A tone burst is cut by ears like any session's. The question is about this kernel itself: its status changes with each probe
 * and can be compared, and no other kernel's restart can make it fail. What it writes is rolled back. Where it listens, its door is tried.
 */
export function createProbe(parts: ProbeParts): () => Promise<Record<string, unknown>> {
  const burst = toneBurst();
  return async () => {
    parts.onProbe();
    const { understanding, sessions } = parts;
    const utterance = hearBurst(parts, burst);
    const answer = await askItself(parts);
    keepTurn(parts, utterance);
    const door = await tryDoor(parts);
    const { intents } = understanding;
    return {
      startMs: utterance.startMs,
      endMs: utterance.endMs,
      answer,
      door,
      intents: intents.length,
      sessions: sessions.openCount,
    };
  };
}

function toneBurst(): Buffer {
  const { fromMs, ms, hz, amplitude, tailMs } = BURST;
  const at = (millis: number): number => (millis * AUDIO.rate) / 1000;
  return bytesOf(
    Int16Array.from({ length: at(fromMs + ms + tailMs) }, (_, i) =>
      i < at(fromMs) || i >= at(fromMs + ms) ? 0 : toSample(amplitude * Math.sin((2 * Math.PI * hz * i) / AUDIO.rate)),
    ),
  );
}

function hearBurst({ ctx, settings }: ProbeParts, burst: Buffer): ReturnType<typeof spokenTurn> {
  const ears = new Ears(settings.cut, Number.MAX_SAFE_INTEGER, 0, () => ctx.clock.monoMs());
  const cut = [];
  for (let at = 0; at < burst.length; at += PIECE_BYTES) cut.push(...ears.hear(burst.subarray(at, at + PIECE_BYTES)));
  cut.push(...ears.end());
  const [only] = cut;
  if (!only || cut.length > 1) throw broken(`a tone burst was cut into ${cut.length} utterances`);
  const { fromMs, ms, toleranceMs } = BURST;
  const off = Math.max(Math.abs(only.startMs - fromMs), Math.abs(only.endMs - fromMs - ms));
  if (off > toleranceMs)
    throw broken(`a tone burst from ${fromMs} to ${fromMs + ms} ms was cut from ${only.startMs} to ${only.endMs} ms`);
  return spokenTurn(only, true);
}

async function askItself({ understanding, live, status }: ProbeParts): Promise<string> {
  let answered: unknown;
  const ask: Live['ask'] = async (...what) => {
    const asked = await live.ask(...what);
    if (asked.ok) answered = asked.value;
    return asked;
  };
  const said = await understanding.answer(QUESTION, { ...live, ask, before: null, isSpoken: false });
  const [call] = said.calls;
  if (said.intent !== 'kernel_status' || said.calls.length !== 1 || !call?.ok)
    throw broken(`"${QUESTION}" was understood as ${said.intent} and answered with "${said.answer.slice(0, 100)}"`);
  const { probes } = answered as { probes?: unknown };
  if (probes !== status()['probes'])
    throw broken(`its status counts ${probes} probes, there were ${status()['probes']}`);
  const facts = tellFacts(answered);
  if (!said.answer.includes(facts))
    throw broken(`"${QUESTION}" was answered with "${said.answer.slice(0, 100)}", the status is: ${facts}`);
  return said.answer;
}

/** Done in a transaction that is undone: it costs no disk, and leaves nothing. */
class Undo extends Error {}

function keepTurn({ ctx, sessions, turns }: ProbeParts, given: ReturnType<typeof spokenTurn>): void {
  try {
    ctx.store.transaction(() => {
      const { session } = sessions.insert({ owner: ctx.id, mode: 'spoken', language: 'en', socket: 0 });
      const { turn } = turns.insert(session.id, given);
      const ended = turns.end(session.id, turn.turn, { state: 'unheard', answer: 'probe' });
      if (ended.audioSha256 !== given.audioSha256 || ended.state !== 'unheard')
        throw broken('a turn does not come back as it was written');
      throw new Undo();
    });
  } catch (error) {
    if (error instanceof Undo) return;
    // So many sessions are open that none can be added: whoever holds them is served.
    if (error instanceof GraceError && error.code === 'VOICE_FULL') return;
    throw error;
  }
}

/** Who brings no token is refused at the door: somebody answers there, and it is not open to all. */
async function tryDoor({ doorway, sessions }: ProbeParts): Promise<string> {
  if (doorway.url === null && sessions.withSocket === 0) return 'not asked for';
  const url = new URL(await doorway.open());
  const { connect } = await import('node:net');
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({ host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) });
  const timer = setTimeout(() => reject(broken(`${url.host} has not answered within ${DIAL_MS} ms`)), DIAL_MS);
  socket.once('error', (error) => reject(broken(`${url.host} cannot be reached: ${error.message}`)));
  socket.once('data', (data) => resolve(data.toString('latin1', 0, 12)));
  socket.once('close', () => reject(broken(`${url.host} closed without an answer`)));
  socket.write(
    `GET ${PATH} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
  );
  try {
    const status = await promise;
    if (status !== 'HTTP/1.1 401') throw broken(`a connection without a token was answered with ${status}`);
    return `refuses strangers at ${url.host}`;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

function broken(why: string): GraceError {
  return new GraceError('INTERNAL', `voice_conversation does not do its job: ${why}`);
}
