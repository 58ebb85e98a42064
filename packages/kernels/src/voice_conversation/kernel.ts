import { createRedactor, toWireError } from '@grace/contracts';
import { askGovernance, defineKernel, type KernelContext } from '@grace/kernel-sdk';
import { intentOf } from './intents/configured.ts';
import { INTENTS } from './intents/table.ts';
import { asked, Understanding } from './intents/understand.ts';
import { createProbe } from './probe.ts';
import { Conversation } from './sessions/conversation.ts';
import { Desk } from './sessions/desk.ts';
import { SESSION_TABLES } from './sessions/schema.ts';
import { SessionBook } from './sessions/session-book.ts';
import { TurnBook } from './sessions/turn-book.ts';
import { readSettings, type Settings } from './settings.ts';
import { Doorway } from './socket/doorway.ts';
import { createEspeak, ESPEAK, findEspeak } from './speech/espeak.ts';
import { EXCHANGE_TABLES, ExchangeBook } from './speech/exchange-book.ts';
import { createExchanges, type Exchanges } from './speech/exchanges.ts';
import { createSynthesiser, type Synthesiser } from './speech/synthesiser.ts';
import { createTranscriber } from './speech/transcriber.ts';
import { createVerbs } from './verbs.ts';

/** Spoken and typed sessions. What is said is told apart by phrases, and answered by what kernels say of themselves now. */
export default defineKernel({
  id: 'voice_conversation',
  start(ctx) {
    const settings = readSettings(ctx);
    ctx.store.migrate([SESSION_TABLES, EXCHANGE_TABLES]);
    const nowMs = (): number => Math.floor(ctx.clock.wallMs());
    const sessions = new SessionBook(ctx.store, nowMs, settings.limits.sessions);
    const turns = new TurnBook(ctx.store, nowMs, settings.limits.turns);
    const redactor = createRedactor();
    const book = new ExchangeBook(ctx.store, nowMs, settings.budget, redactor);
    const exchanges = createExchanges(ctx, book, redactor);
    const synthesiser = synthesiserOf(settings, exchanges);
    const understanding = new Understanding([
      ...settings.intents.map((one) => intentOf(one, (verb) => refusal(ctx, verb))),
      ...INTENTS,
    ]);
    let probes = 0;
    const status = (): Record<string, unknown> => ({
      probes,
      sessions: sessions.openCount,
      sockets: doorway.connections,
      listening: doorway.isListening,
      waiting: conversation.waiting,
      utterances: desk.utterances,
      stt: settings.stt === null ? 'none' : settings.stt.url,
      tts: settings.tts === 'espeak' ? (synthesiser ? ESPEAK : 'none') : (settings.tts?.url ?? 'none'),
      url: doorway.url,
      turns: turns.counts(),
      spent: book.spent(),
      intents: understanding.intents.length,
    });
    const live = {
      kernels: settings.kernels.includes(ctx.id) ? settings.kernels : [...settings.kernels, ctx.id],
      nowMs,
      // About itself it need not ask the bus: the answer is as live, and the bus may be away.
      ask: (kernel: string, verb: string, input?: unknown) =>
        asked(async () =>
          kernel === ctx.id && verb === 'status'
            ? status()
            : await ctx.call(kernel, verb, input, { deadlineMs: settings.times.callMs }),
        ),
    };
    const conversation = new Conversation({
      ctx,
      turns,
      understanding,
      transcriber: settings.stt && createTranscriber(settings.stt, exchanges),
      live,
      waitingMax: settings.limits.waiting,
      onTurn: (turn) => doorway.tell(turn),
    });
    const desk = new Desk(ctx, settings, { sessions, turns }, conversation);
    const doorway = new Doorway({ ctx, settings, desk, synthesiser, sessions });

    // Those who had a session come back for it, and for the answers that were promised to them.
    if (sessions.withSocket > 0)
      doorway.open().catch((error: unknown) => ctx.log.error('does not listen', { error: toWireError(error).message }));
    const resumed = conversation.resume((id) => sessions.get(id).language);
    if (resumed > 0) ctx.log.info('turns of the life before are being ended', { turns: resumed });

    return {
      verbs: createVerbs({ ctx, settings, sessions, desk, doorway, understanding, book, synthesiser, status }),
      probe: createProbe({
        ctx,
        settings,
        understanding,
        live,
        status,
        sessions,
        turns,
        doorway,
        onProbe: () => void probes++,
      }),
      async drain() {
        const closed = doorway.close();
        desk.keepPositions();
        await conversation.finish(settings.times.drainMs);
        await closed;
      },
    };
  },
});

function synthesiserOf({ tts }: Settings, exchanges: Exchanges): Synthesiser | null {
  if (tts === null) return null;
  if (tts !== 'espeak') return createSynthesiser(tts, exchanges);
  return findEspeak(process.env['PATH']) ? createEspeak(exchanges) : null;
}

/** Why governance does not let an intent of grace.yaml call its verb; null: it does. Who cannot be asked permits nothing. */
async function refusal(ctx: KernelContext, verb: string): Promise<string | null> {
  const question = { action: 'call_verb', resource: verb, context: { goal: 'an intent of grace.yaml' } };
  try {
    const { outcome, reason } = await askGovernance(ctx, question, { verb: 'decide', tries: 1, deadlineMs: 1000 });
    return outcome === 'permit' ? null : `${outcome}: ${reason}`;
  } catch (error) {
    const { code, message } = toWireError(error);
    return `${code}: ${message}`;
  }
}
