import { showBytes, showMs } from '../output/figures.ts';

type Values = Record<string, unknown>;

/** What a detector or a judgement rested on, as a person reads it. What is not known here is told by its name. */
export function inWords(evidence: Values): string {
  const values = flat(evidence);
  const told = new Set<string>();
  const parts: string[] = [];
  const number = (key: string): number | undefined => {
    const value = values[key];
    if (typeof value !== 'number') return undefined;
    told.add(key);
    return value;
  };
  const say = (text: string | undefined): void => {
    if (text !== undefined) parts.push(text);
  };

  const { heartbeatAgeMs, unansweredMs, observerLagMs, silentMs } = each(number, [
    'heartbeatAgeMs',
    'unansweredMs',
    'observerLagMs',
    'silentMs',
  ]);
  say(heartbeatAgeMs === undefined ? undefined : `no heartbeat for ${showMs(heartbeatAgeMs)}`);
  say(silentMs === undefined ? undefined : `nothing heard for ${showMs(silentMs)}`);
  say(unansweredMs === undefined ? undefined : `a functional probe unanswered for ${showMs(unansweredMs)}`);
  say(observerLagMs === undefined ? undefined : `the observer itself late by ${showMs(observerLagMs)}`);
  say(processorTime(number));
  const elu = number('elu');
  say(elu === undefined ? undefined : `event loop held ${percent(elu)}`);
  say(memory(values, number, told));
  for (const [key, value] of Object.entries(values)) if (!told.has(key)) say(generic(key, value));
  return parts.join(', ');
}

/** Names under which evidence gives the time that its processor figures span. */
const SPANS = ['forMs', 'stuckMs'];

/** The time that the processor figures of flat evidence span, ms. */
export function spanOf(values: Values): number | undefined {
  return SPANS.map((key) => values[key]).find((value) => typeof value === 'number');
}

/** Figures of nested objects stand beside the others: `missed.cpuMs` is `cpuMs`. */
export function flat(evidence: Values): Values {
  const values: Values = {};
  for (const [key, value] of Object.entries(evidence)) {
    if (value !== null && typeof value === 'object' && !Array.isArray(value))
      Object.assign(values, flat(value as Values));
    else values[key] = value;
  }
  return values;
}

function processorTime(number: (key: string) => number | undefined): string | undefined {
  const { cpuMs, runDelayMs } = each(number, ['cpuMs', 'runDelayMs']);
  if (cpuMs === undefined && runDelayMs === undefined) return undefined;
  const forMs = SPANS.map(number).find((ms) => ms !== undefined);
  const burnt = cpuMs === undefined ? '' : `${showMs(cpuMs)} of CPU burnt`;
  const waited = runDelayMs === undefined ? '' : `${showMs(runDelayMs)} waited for a processor`;
  const both = [burnt, waited].filter((text) => text !== '').join(' and ');
  return forMs === undefined ? both : `${both} in ${showMs(forMs)}`;
}

function memory(values: Values, number: (key: string) => number | undefined, told: Set<string>): string | undefined {
  const { bytes, limitBytes, bytesPerSecond, msToLimit } = each(number, [
    'bytes',
    'limitBytes',
    'bytesPerSecond',
    'msToLimit',
  ]);
  if (bytes === undefined || limitBytes === undefined) return undefined;
  const of = values['of'];
  told.add('of').add('ratio');
  return memoryWords({ of: typeof of === 'string' ? of : '', bytes, limitBytes, bytesPerSecond, msToLimit });
}

/** `heap 210 MB of 256 MB (82 %), growing 10 MB a second, at its limit in 4.0 s` */
export function memoryWords(memory: {
  of: string;
  bytes: number;
  limitBytes: number;
  bytesPerSecond?: number | null | undefined;
  msToLimit?: number | undefined;
}): string {
  const { of, bytes, limitBytes, bytesPerSecond, msToLimit } = memory;
  const growth =
    bytesPerSecond === undefined || bytesPerSecond === null || bytesPerSecond <= 0
      ? ''
      : `, growing ${showBytes(bytesPerSecond)} a second`;
  const due = msToLimit === undefined ? '' : `, at its limit in ${showMs(msToLimit)}`;
  return `${of === '' ? 'memory' : of} ${showBytes(bytes)} of ${showBytes(limitBytes)} (${percent(bytes / limitBytes)})${growth}${due}`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function each<const K extends string>(
  number: (key: string) => number | undefined,
  keys: readonly K[],
): Record<K, number | undefined> {
  return Object.fromEntries(keys.map((key) => [key, number(key)])) as Record<K, number | undefined>;
}

/** `agentLagMs: 12` -> `agent lag 12 ms`. Null is what could not be measured: it says nothing. */
function generic(key: string, value: unknown): string | undefined {
  if (value === null || value === undefined || value === '') return undefined;
  const unit = /(Ms|Bytes|Share|Ratio)$/.exec(key)?.[1];
  const words = (unit === undefined ? key : key.slice(0, -unit.length)).replace(
    /(?<=[a-z])[A-Z]/g,
    (letter) => ` ${letter.toLowerCase()}`,
  );
  if (typeof value !== 'number') return `${words} ${typeof value === 'string' ? value : JSON.stringify(value)}`;
  if (unit === 'Ms') return `${words} ${showMs(value)}`;
  if (unit === 'Bytes') return `${words} ${showBytes(value)}`;
  return `${words} ${unit === undefined ? Math.round(value * 100) / 100 : percent(value)}`;
}
