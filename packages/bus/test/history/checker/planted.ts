import assert from 'node:assert/strict';
import type { Entry, EntryOf } from '../entries.ts';
import type { Rule } from './violation.ts';

export const is =
  <E extends Entry['e']>(e: E) =>
  (entry: Entry): entry is EntryOf<E> =>
    entry.e === e;

/** The history with this entry changed, or left out. */
const change = (entries: Entry[], entry: Entry, to: Partial<Entry> | null): Entry[] =>
  entries.flatMap((one) => (one !== entry ? [one] : to === null ? [] : [{ ...one, ...to } as Entry]));

export const after = (entries: Entry[], entry: Entry, ...more: object[]): Entry[] => {
  const at = entries.indexOf(entry) + 1;
  return entries.toSpliced(at, 0, ...more.map((one) => ({ ...entry, ...one }) as Entry));
};

/** What a consumer wrote of a message. */
const storyOf = (entries: Entry[], c: string, key: string) =>
  entries.filter((one) => 'key' in one && one.key === key && 'c' in one && one.c === c);

/** Handled once, at once, and confirmed: nothing excuses another delivery. */
export function settled(entries: Entry[], c: string): { deliver: EntryOf<'deliver'>; handled: EntryOf<'handled'> } {
  const last = entries.findLastIndex(({ e }) => e === 'strike');
  for (const handled of entries.slice(last).filter(is('handled'))) {
    if (handled.c !== c) continue;
    const own = storyOf(entries, c, handled.key);
    const [deliver, ...more] = own.filter(is('deliver'));
    const isConfirmed = /^(share|bob.1.hear)$/.test(c) || own.some(is('confirmed'));
    if (deliver && more.length === 0 && isConfirmed) return { deliver, handled };
  }
  throw new Error(`nothing was handled once by ${c}`);
}

const published = (entries: Entry[], key: string): EntryOf<'invoke'> =>
  entries.filter(is('invoke')).find((one) => one.key === key)!;

const isNextOf = (one: EntryOf<'deliver'>, next: EntryOf<'deliver'>): boolean =>
  next.s === one.s && next.from === one.from && next.n === one.n + 1 && next.key.startsWith(one.key.slice(0, 5));

const isSaidOnce = (entries: Entry[], key: string): boolean =>
  entries.filter((one) => one.e === 'invoke' && one.key === key).length === 1;

export interface Plant {
  entries: Entry[];
  keys: string[];
  words: RegExp;
}

/** Each takes a sound history and plants one defect of a bus. */
export const PLANTS: [string, Rule, (entries: Entry[]) => Plant][] = [
  [
    'an accepted durable message that a consumer never heard',
    'lost',
    (entries) => {
      const { deliver } = settled(entries, 'ann/all');
      const own = storyOf(entries, 'ann/all', deliver.key);
      const left = entries.filter((one) => !own.includes(one));
      return { entries: left, keys: [deliver.key], words: /never handled by ann\/all: it was not delivered once/ };
    },
  ],
  [
    'an accepted durable message that was delivered and never handled',
    'lost',
    (entries) => {
      const { handled } = settled(entries, 'work@work');
      const ends = storyOf(entries, 'work@work', handled.key).filter(({ e }) => e !== 'deliver');
      const left = entries.filter((one) => !ends.includes(one));
      const words = /never handled by work@work: delivered in vain at \w+\.\d+\.ndjson:\d+/;
      return { entries: left, keys: [handled.key], words };
    },
  ],
  [
    'a dead letter that the broker does not have',
    'lost',
    (entries) => {
      const dead = entries
        .filter(is('dead'))
        .find(({ c, key }) => !entries.some((one) => one.e === 'handled' && one.key === key && one.c === c))!;
      const account = entries.findLast(is('account'))!.account;
      const last = entries.findLast(is('account'))!;
      const left = change(change(entries, last, { account: { ...account, dead: account.dead - 1 } }), dead, null);
      return { entries: left, keys: [dead.key], words: /never handled .*no dead letter/ };
    },
  ],
  [
    'a normal message lost when nothing was done any more',
    'lost',
    (entries) => {
      const calm = entries.findIndex(is('calm'));
      const late = entries
        .slice(calm)
        .filter(is('invoke'))
        .find(({ key, s }) => s.startsWith('history.') && entries.some((one) => one.e === 'ok' && one.key === key))!;
      const left = entries.filter(
        (one) => !('key' in one && one.key === late.key && 'c' in one && /hear$/.test(one.c)),
      );
      return { entries: left, keys: [late.key], words: /never handled by bob\.1\/hear/ };
    },
  ],
  [
    'a message handled again although its acknowledgement was committed long ago',
    'handled again',
    (entries) => {
      const { deliver, handled } = settled(entries, 'ann/all');
      const end = entries.findLast(({ e, who }) => e === 'beat' && who === 'ann')!;
      const more = { ...deliver, a: 2, t: end.t + 10 };
      const ends = [more, { ...handled, a: 2, t: end.t + 20 }, { ...handled, e: 'confirmed', a: 2, t: end.t + 30 }];
      const words = /came to ann\/all again .* \d+ ms after it was handled; the acknowledgement was confirmed/;
      return { entries: after(entries, end, ...ends), keys: [deliver.key], words };
    },
  ],
  [
    'a message given to another member while the first one handles it',
    'handled again',
    (entries) => {
      const { deliver, handled } = settled(entries, 'work@work');
      const more = { ...deliver, a: 2, t: deliver.t };
      return {
        entries: after(
          entries,
          deliver,
          more,
          ...['handled', 'confirmed'].map((e) => ({ ...handled, e, a: 2, t: deliver.t })),
        ),
        keys: [deliver.key],
        words: /came to work@work again .* while it was still being handled/,
      };
    },
  ],
  [
    'a normal message heard twice by one plain subscriber',
    'handled again',
    (entries) => {
      const { deliver, handled } = settled(entries, 'bob.1/hear');
      const twice = after(entries, handled, deliver, handled);
      return { entries: twice, keys: [deliver.key], words: /came to the plain subscription bob\.1\/hear 2 times/ };
    },
  ],
  [
    'a message kept twice under one id',
    'kept twice',
    (entries) => {
      const { deliver, handled } = settled(entries, 'ann/all');
      const twice = after(entries, handled, { ...deliver, t: handled.t }, handled, { ...handled, e: 'confirmed' });
      return {
        entries: twice,
        keys: [deliver.key],
        words: /came to ann\/all again as attempt 1 after attempt 1 .* the acknowledgement was confirmed/,
      };
    },
  ],
  [
    'a redelivery that looks like a first one',
    'attempt',
    (entries) => {
      const again = entries.filter(is('deliver')).find(({ c, a }) => c === 'ann/all' && a === 2)!;
      const own = storyOf(entries, 'ann/all', again.key).filter((one) => one.t >= again.t && 'a' in one && one.a === 2);
      const rest = storyOf(entries, 'ann/all', again.key).filter((one) => one.t > again.t && 'a' in one && one.a > 2);
      const renamed = entries.flatMap((one) =>
        rest.includes(one as never) ? [] : [own.includes(one as never) ? ({ ...one, a: 1 } as Entry) : one],
      );
      return {
        entries: renamed,
        keys: [again.key],
        words: /came to ann\/all again as attempt 1, after attempt 1 was /,
      };
    },
  ],
  [
    'two messages of one publisher the wrong way round',
    'order',
    (entries) => {
      const firsts = entries.filter(is('deliver')).filter(({ c, a }) => c === 'ann/all' && a === 1);
      const single = firsts.filter(({ key }) => isSaidOnce(entries, key));
      const early = single[0]!;
      const late = single.find(({ from, s, n }) => from === early.from && s === early.s && n > early.n)!;
      const swap = (one: Entry): Entry => {
        if (!('c' in one) || one.c !== 'ann/all' || !('key' in one)) return one;
        if (one.key === early.key) return { ...one, key: late.key, ...(one.e === 'deliver' ? { n: late.n } : {}) };
        if (one.key === late.key) return { ...one, key: early.key, ...(one.e === 'deliver' ? { n: early.n } : {}) };
        return one;
      };
      // The later one must have been published by then, or it would be a phantom too.
      const moved = published(entries, late.key);
      const rest = entries.filter((one) => one !== moved);
      const at = rest.indexOf(published(entries, early.key)) + 1;
      const swapped = rest.toSpliced(at, 0, { ...moved, t: rest[at - 1]!.t }).map(swap);
      return { entries: swapped, keys: [late.key, early.key], words: /ann\/all heard .* before / };
    },
  ],
  [
    'an ordered consumer that hears the next message while one is under way',
    'order',
    (entries) => {
      const heard = entries
        .filter(is('deliver'))
        .filter(({ c, a, key }) => c === 'bob/one' && a === 1 && isSaidOnce(entries, key));
      const { early, late } = heard
        .values()
        .map((one) => ({ early: one, late: heard.find((next) => isNextOf(one, next)) }))
        .find(({ early, late }) => late && storyOf(entries, early.c, early.key).filter(is('deliver')).length === 1)!;
      const [handled] = storyOf(entries, 'bob/one', early.key).filter(is('handled'));
      const moved = storyOf(entries, 'bob/one', early.key).filter(({ e }) => e !== 'deliver');
      const rest = entries.filter((one) => !moved.includes(one));
      const at = rest.indexOf(late!) + 1;
      const held = moved.map((one) => ({ ...one, t: late!.t + 1 }));
      assert.ok(handled);
      return {
        entries: rest.toSpliced(at, 0, ...held),
        keys: [early.key, late!.key],
        words: /bob\/one heard .* when .* was not settled/,
      };
    },
  ],
  [
    'an acknowledgement that is never confirmed',
    'unanswered',
    (entries) => {
      const { handled } = settled(entries, 'work@work');
      const left = entries.filter((one) => !(one.e === 'confirmed' && one.key === handled.key && one.c === handled.c));
      return { entries: left, keys: [handled.key], words: /was never confirmed: it had \d+ ms .* the window is 10 s/ };
    },
  ],
  [
    'a message nobody published',
    'phantom',
    (entries) => {
      const { deliver } = settled(entries, 'ann/all');
      const ghost = { ...deliver, key: 'nobody.1.1' };
      return { entries: after(entries, deliver, ghost), keys: ['nobody.1.1'], words: /which nobody published/ };
    },
  ],
  [
    'a message that says it is from somebody else',
    'phantom',
    (entries) => {
      const { deliver } = settled(entries, 'ann/all');
      const from = deliver.from === 'ann' ? 'bob' : 'ann';
      return { entries: change(entries, deliver, { from }), keys: [deliver.key], words: /it was published as/ };
    },
  ],
  [
    'a message with the content of another',
    'phantom',
    (entries) => {
      const { deliver } = settled(entries, 'ann/all');
      const n = deliver.n + 1000;
      return { entries: change(entries, deliver, { n }), keys: [deliver.key], words: new RegExp(`n=${n} of`) };
    },
  ],
  [
    'a message heard before it was published',
    'phantom',
    (entries) => {
      const { deliver } = settled(entries, 'bob.1/hear');
      const own = entries.filter((one) => 'key' in one && one.key === deliver.key && !('c' in one));
      const late = own.map((one) => ({ ...one, t: deliver.t + 1 }));
      const rest = entries.filter((one) => !own.includes(one));
      const at = rest.indexOf(deliver) + 1;
      return { entries: rest.toSpliced(at, 0, ...late), keys: [deliver.key], words: /before it was published/ };
    },
  ],
  [
    'a message that was refused and delivered all the same',
    'refused and delivered',
    (entries) => {
      const { deliver } = settled(entries, 'bob.1/hear');
      const answer = entries.find((one) => (one.e === 'ok' || one.e === 'fail') && one.key === deliver.key)!;
      const refused = change(entries, answer, { e: 'fail', code: 'BUS_DENIED' } as Partial<Entry>);
      return { entries: refused, keys: [deliver.key], words: /was refused with BUS_DENIED .* heard it/ };
    },
  ],
  [
    'a publish that is never answered',
    'unanswered',
    (entries) => {
      const ok = entries.findLast(is('ok'))!;
      return { entries: change(entries, ok, null), keys: [ok.key], words: /was never answered/ };
    },
  ],
  [
    'a dead letter of a message that was handled',
    'dead letter',
    (entries) => {
      const { deliver } = settled(entries, 'ann/all');
      const last = entries.findLast(is('account'))!;
      const { account } = last;
      const counted = { ...last, account: { ...account, dead: account.dead + 1 } };
      const letter = { e: 'dead', c: 'ann/all', key: deliver.key, attempts: 5, reason: 'rejected' };
      return {
        entries: [...change(entries, last, counted), { ...last, ...letter } as Entry],
        keys: [deliver.key],
        words: /is a dead letter of ann\/all, which had handled it/,
      };
    },
  ],
  [
    'books that do not balance',
    'account',
    (entries) => {
      const last = entries.findLast(is('account'))!;
      const total = { ...last.account.total, handled: last.account.total.handled - 1 };
      const account = { ...last.account, total, families: { task: total } };
      return { entries: change(entries, last, { account }), keys: [], words: /account of all does not balance/ };
    },
  ],
  [
    'a family that is missing from the books',
    'account',
    (entries) => {
      const last = entries.findLast(is('account'))!;
      const account = { ...last.account, families: {} };
      return { entries: change(entries, last, { account }), keys: [], words: /its families have 0 accepted/ };
    },
  ],
  [
    'deliveries that wait for ever',
    'account',
    (entries) => {
      const last = entries.findLast(is('account'))!;
      const { total } = last.account;
      const waits = { ...total, handled: total.handled - 2, waiting: 2 };
      const account = { ...last.account, total: waits, families: { task: waits } };
      return { entries: change(entries, last, { account }), keys: [], words: /at the end 2 deliveries still wait/ };
    },
  ],
  [
    'dead letters that cannot be listed',
    'account',
    (entries) => {
      const last = entries.findLast(is('account'))!;
      const account = { ...last.account, dead: last.account.dead + 3 };
      return { entries: change(entries, last, { account }), keys: [], words: /counts \d+ dead letters and lists/ };
    },
  ],
  [
    'no account at the end',
    'account',
    (entries) => {
      const last = entries.findLast(is('account'))!;
      return { entries: change(entries, last, null), keys: [], words: /gave no account at the end/ };
    },
  ],
];
