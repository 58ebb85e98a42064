import type { Entry } from '../entries.ts';
import { findImbalance } from './account.ts';
import { findRepeats, type Repeats } from './again.ts';
import { findLost } from './lost.ts';
import { findDisorder } from './order.ts';
import { findPhantoms, findUnanswered } from './phantom.ts';
import { type Story, tell } from './story.ts';
import type { Violation } from './violation.ts';

export interface Verdict {
  /** `inconclusive`: nothing contradicts the promises, and too little was seen that could have. */
  verdict: 'held' | 'violated' | 'inconclusive';
  violations: Violation[];
  /** What was not seen. */
  missing: string[];
  counts: Record<string, number>;
}

/** Durable messages accepted, fewer prove nothing. */
const DURABLE_MIN = 100;

/** Judges a history: a pure function of what the participants wrote. */
export function check(entries: readonly Entry[]): Verdict {
  const story = tell(entries);
  const repeats = findRepeats(story);
  const violations = [
    ...findLost(story),
    ...repeats.violations,
    ...findDisorder(story),
    ...findPhantoms(story),
    ...findUnanswered(story),
    ...findImbalance(story),
  ];
  const counts = count(story, repeats);
  const missing = notSeen(story, counts);
  const verdict = violations.length > 0 ? 'violated' : missing.length > 0 ? 'inconclusive' : 'held';
  return { verdict, violations, missing, counts };
}

function count({ publications, consumers, strikes, dead }: Story, repeats: Repeats): Record<string, number> {
  const all = [...publications.values()];
  const deliveries = [...consumers.values()].flatMap((consumer) => [...consumer.deliveries.values()].flat());
  const published = (outcome: string, durable: boolean): number =>
    all.filter((one) => one.outcome === outcome && one.durable === durable).length;
  const strikesOf = Object.groupBy(
    strikes.filter(({ bit }) => bit),
    ({ kind }) => kind,
  );
  return {
    'durable messages accepted': published('ok', true),
    'normal messages accepted': published('ok', false),
    'publishes refused': all.filter(({ outcome }) => outcome === 'refused').length,
    'publishes of unknown outcome': all.filter(({ outcome }) => outcome === 'unknown').length,
    'published again with the same id': all.filter(({ invokes }) => invokes > 1).length,
    deliveries: deliveries.length,
    handled: deliveries.filter(({ isHandled }) => isHandled).length,
    'delivered again after a refusal': repeats.afterNak,
    'delivered again after a break': repeats.afterBreak,
    'delivered again after handling, within the window': repeats.afterHandled,
    'acknowledgements confirmed': repeats.confirmed,
    'dead letters': dead.length,
    ...Object.fromEntries(Object.entries(strikesOf).map(([kind, list]) => [`strikes of ${kind}`, list!.length])),
  };
}

/** A run that could not have shown a defect is no proof that there is none. */
function notSeen(
  { planned, strikes, calmAt, quiet, consumers, publications }: Story,
  counts: Record<string, number>,
): string[] {
  const missing: string[] = [];
  const need = (holds: boolean, what: string): void => void (holds || missing.push(what));
  need(planned.length > 0, 'no schedule was written down');
  for (const kind of planned)
    need(
      strikes.some((strike) => strike.kind === kind && strike.bit),
      `no strike of ${kind} had an effect`,
    );
  const accepted = counts['durable messages accepted']!;
  need(accepted >= DURABLE_MIN, `only ${accepted} durable messages were accepted; ${DURABLE_MIN} are the least`);
  need(counts['normal messages accepted']! > 0, 'no normal message was accepted');
  for (const code of ['BUS_DENIED', 'BUS_TOO_LARGE', 'BUS_BAD_SUBJECT'])
    need(
      publications.values().some(({ codes }) => codes.includes(code)),
      `no publish was refused with ${code}`,
    );
  need(counts['delivered again after a refusal']! > 0, 'nothing was delivered again after a refusal');
  need(counts['delivered again after a break']! > 0, 'nothing was delivered again after a break');
  need(counts['acknowledgements confirmed']! > 0, 'no acknowledgement was confirmed');
  for (const kind of ['durable', 'durable-ordered', 'durable-group', 'plain', 'plain-group'])
    need(
      consumers.values().some((consumer) => consumer.kind === kind && consumer.deliveries.size > 0),
      `no ${kind} consumer heard anything`,
    );
  need(calmAt !== null, 'the system did not come to rest');
  need(quiet.size > 0, 'nobody was there to the end');
  return missing;
}
