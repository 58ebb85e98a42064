/** Facts told of one answer, and characters of each. */
const FACTS_MAX = 12;
const WORD_MAX = 60;
/** Fields looked at, whatever somebody answers. */
const FIELDS_MAX = 200;
const DEPTH_MAX = 2;
/** Last part of the name of a fact that says how much is under way. */
const BUSY = new Set([
  'running',
  'active',
  'waiting',
  'queued',
  'underWay',
  'pending',
  'scanning',
  'acting',
  'working',
]);

interface Fact {
  /** Path in the answer, with dots. */
  name: string;
  /** A list is told by its length. */
  value: number | string;
}

/** The first facts of an answer in words: `documents 3, waiting 0, runs.ok 2`. */
export function tellFacts(value: unknown): string {
  return worded(factsOf(value).slice(0, FACTS_MAX)) || 'nothing to tell';
}

/** What is under way by these facts, in words; empty: nothing. */
export function tellWork(value: unknown): string {
  const isBusy = ({ name, value: n }: Fact): boolean =>
    BUSY.has(name.split('.').at(-1)!) && ((typeof n === 'number' && n > 0) || n === 'true');
  return worded(factsOf(value).filter(isBusy).slice(0, FACTS_MAX));
}

function factsOf(value: unknown): Fact[] {
  const facts: Fact[] = [];
  const look = (one: unknown, path: string, depth: number): void => {
    if (facts.length >= FIELDS_MAX) return;
    const name = path === '' ? 'answer' : path;
    if (Array.isArray(one)) facts.push({ name, value: one.length });
    else if (one !== null && typeof one === 'object') {
      if (depth === DEPTH_MAX) return;
      for (const [key, inner] of Object.entries(one).slice(0, FIELDS_MAX))
        look(inner, path === '' ? shortened(key) : `${path}.${shortened(key)}`, depth + 1);
    } else if (typeof one === 'number') facts.push({ name, value: one });
    else if (one !== undefined) facts.push({ name, value: shortened(String(one)) });
  };
  look(value, '', 0);
  return facts;
}

function worded(facts: readonly Fact[]): string {
  return facts
    .map(({ name, value }) =>
      typeof value === 'number' && !Number.isInteger(value) ? `${name} ${value.toFixed(2)}` : `${name} ${value}`,
    )
    .join(', ');
}

export function shortened(text: string, max = WORD_MAX): string {
  const plain = text.toWellFormed().replaceAll(/\s+/g, ' ').trim();
  return plain.length <= max ? plain : `${plain.slice(0, max - 1).toWellFormed()}…`;
}

export function counted(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
