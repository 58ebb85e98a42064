import { GraceError } from '@grace/contracts';
import { is, type KernelContext, readInput } from '@grace/kernel-sdk';
import { CUT_DEFAULTS, type CutSettings } from './cut/cutter.ts';
import { type ConfiguredIntent, readIntents } from './intents/configured.ts';

/** Where the key of a provider comes from; its value stands in no configuration. */
export type KeySource = { env: string } | { secret: string } | null;

export interface ProviderSettings {
  /** Of the endpoint itself, such as `http://127.0.0.1:8000/v1/audio/transcriptions`. */
  url: string;
  model: string;
  /** Text-to-speech only. */
  voice: string;
  key: KeySource;
  deadlineMs: number;
}

export interface Settings {
  /** Kernels of this system, by which names are told apart. */
  kernels: readonly string[];
  listen: { host: string; port: number };
  /** Origins of pages that may connect; programs send none. */
  origins: readonly string[];
  /** Principals that may use the sessions of others. */
  operators: readonly string[];
  stt: ProviderSettings | null;
  tts: ProviderSettings | 'espeak' | null;
  budget: { requestsPerHour: number; audioMsPerHour: number; charactersPerHour: number };
  limits: {
    sessions: number;
    turns: number;
    /** Turns of one session that are under way or wait. */
    waiting: number;
    closedKept: number;
    frameBytes: number;
    /** What a reader may leave unread before it is cut off. */
    unreadBytes: number;
    /** Audio that may come ahead of time; it fills again at twice the pace of time. */
    aheadMs: number;
  };
  times: { helloMs: number; idleMs: number; pingMs: number; callMs: number; stallMs: number; drainMs: number };
  cut: CutSettings;
  intents: readonly ConfiguredIntent[];
}

const LOOPBACK = ['127.0.0.1', '::1'] as const;
const whole = (min: number, max: number) => is.optional(is.number({ min, max, integer: true }));
const group = is.optional(is.record());
const name = is.string({ max: 200, pattern: /^[A-Za-z0-9_.:/-]+$/, what: 'a name' });

/** @throws GraceError `CONFIG_INVALID` naming the key and what was expected */
export function readSettings({ config }: Pick<KernelContext, 'config'>): Settings {
  try {
    return read(config);
  } catch (error) {
    if (!(error instanceof GraceError)) throw error;
    throw new GraceError(
      'CONFIG_INVALID',
      error.message
        .replaceAll('input.', 'kernels.voice_conversation.config.')
        .replace('of this verb', 'of this kernel'),
      error.details,
    );
  }
}

function read(config: Readonly<Record<string, unknown>>): Settings {
  const given = readInput(config, {
    kernels: is.optional(is.array(name, { max: 1000 })),
    listen: group,
    origins: is.optional(is.array(is.string({ max: 300 }), { max: 50 })),
    operators: is.optional(is.array(name, { max: 50 })),
    stt: group,
    tts: is.unknown(),
    budget: group,
    limits: group,
    times: group,
    cut: group,
    intents: is.unknown(),
  });
  const listen = readGroup('listen', given.listen, { host: is.optional(is.oneOf(LOOPBACK)), port: whole(0, 65_535) });
  const budget = readGroup('budget', given.budget, {
    requestsPerHour: whole(0, 1e6),
    audioMsPerHour: whole(0, 1e9),
    charactersPerHour: whole(0, 1e9),
  });
  const limits = readGroup('limits', given.limits, {
    sessions: whole(1, 1000),
    turns: whole(1, 100_000),
    waiting: whole(1, 1000),
    closedKept: whole(0, 100_000),
    frameBytes: whole(1024, 1024 ** 2),
    unreadBytes: whole(16 * 1024, 64 * 1024 ** 2),
    aheadMs: whole(1000, 600_000),
  });
  const span = whole(10, 86_400_000);
  const times = readGroup('times', given.times, {
    helloMs: span,
    idleMs: span,
    pingMs: span,
    callMs: whole(10, 25_000),
    stallMs: span,
    drainMs: whole(10, 1500),
  });
  return {
    kernels: given.kernels ?? [],
    listen: { host: listen.host ?? '127.0.0.1', port: listen.port ?? 0 },
    origins: (given.origins ?? []).map(readOrigin),
    operators: given.operators ?? ['cli'],
    stt: given.stt === undefined ? null : readProvider(given.stt, 'stt'),
    tts: readTts(given.tts),
    budget: {
      requestsPerHour: budget.requestsPerHour ?? 600,
      audioMsPerHour: budget.audioMsPerHour ?? 3_600_000,
      charactersPerHour: budget.charactersPerHour ?? 100_000,
    },
    limits: {
      sessions: limits.sessions ?? 32,
      turns: limits.turns ?? 2000,
      waiting: limits.waiting ?? 16,
      closedKept: limits.closedKept ?? 500,
      frameBytes: limits.frameBytes ?? 64 * 1024,
      unreadBytes: limits.unreadBytes ?? 1024 ** 2,
      aheadMs: limits.aheadMs ?? 60_000,
    },
    times: {
      helloMs: times.helloMs ?? 5000,
      idleMs: times.idleMs ?? 1_800_000,
      pingMs: times.pingMs ?? 30_000,
      callMs: times.callMs ?? 3000,
      stallMs: times.stallMs ?? 10_000,
      drainMs: times.drainMs ?? 500,
    },
    cut: readCut(given.cut),
    intents: readIntents(given.intents),
  };
}

/** As `readInput`, with the name of the group in what it says. */
const readGroup: <T extends object>(place: string, given: unknown, shape: Parameters<typeof readInput<T>>[1]) => T = (
  place,
  given,
  shape,
) => {
  try {
    return readInput(given, shape);
  } catch (error) {
    if (!(error instanceof GraceError)) throw error;
    throw new GraceError(error.code, error.message.replace('input.', `input.${place}.`), error.details);
  }
};

function readTts(given: unknown): Settings['tts'] {
  if (given === undefined || given === null || given === 'espeak') return 'espeak';
  if (given === false || given === 'off') return null;
  return readProvider(is.record()(given, 'input.tts'), 'tts');
}

function readProvider(given: Record<string, unknown>, place: 'stt' | 'tts'): ProviderSettings {
  const { url, model, voice, key, deadlineMs } = readGroup(place, given, {
    url: is.string({ max: 2000 }),
    model: is.optional(name),
    voice: is.optional(name),
    key: group,
    deadlineMs: whole(10, 120_000),
  });
  const parsed = URL.parse(url);
  if (!parsed || !['http:', 'https:'].includes(parsed.protocol) || parsed.username || parsed.password)
    throw new GraceError('BAD_INPUT', `input.${place}.url: expected an http or https address without a name in it`);
  return {
    url: parsed.href,
    model: model ?? (place === 'stt' ? 'whisper-1' : 'tts-1'),
    voice: voice ?? 'alloy',
    key: readKey(key, place),
    deadlineMs: deadlineMs ?? 20_000,
  };
}

function readKey(given: Record<string, unknown> | undefined, place: string): KeySource {
  if (given === undefined) return null;
  const { env, secret } = readGroup(`${place}.key`, given, { env: is.optional(name), secret: is.optional(name) });
  if ((env === undefined) === (secret === undefined))
    throw new GraceError('BAD_INPUT', `input.${place}.key: expected env or secret, the name of either`);
  return env === undefined ? { secret: secret! } : { env };
}

function readOrigin(given: string): string {
  const origin = URL.parse(given)?.origin;
  if (origin !== given)
    throw new GraceError('BAD_INPUT', `input.origins: expected an origin, got ${JSON.stringify(given)}`);
  return origin;
}

function readCut(given: Record<string, unknown> | undefined): CutSettings {
  const cut = readGroup('cut', given, {
    aboveNoiseDb: is.optional(is.number({ min: 0, max: 60 })),
    quietDbfs: is.optional(is.number({ min: -90, max: 0 })),
    silenceMs: whole(100, 5000),
    minUtteranceMs: whole(0, 2000),
    maxUtteranceMs: whole(1000, 60_000),
    padMs: whole(0, 1000),
  });
  const all = {
    ...CUT_DEFAULTS,
    ...Object.fromEntries(Object.entries(cut).filter(([, value]) => value !== undefined)),
  };
  if (all.padMs > all.silenceMs)
    throw new GraceError(
      'BAD_INPUT',
      'input.cut.padMs: expected no more than silenceMs: what comes later is not there yet',
    );
  return all;
}
