import { showTime } from '../output/figures.ts';
import { type Output, printable } from '../output/output.ts';
import { wrapped } from '../output/wrapped.ts';
import { withSystem } from '../system/connect.ts';

/** A story as `clarity_framework explain` answers it. */
export interface DecisionStory {
  id: string;
  title: string;
  correlation: string | null;
  first: Told[];
  noticed: Told[];
  decided: Told[];
  done: Told[];
  ended: Told[];
  notEstablished: string[];
}

interface Told {
  /** Wall time; null: it is about no moment. */
  atMs: number | null;
  text: string;
  links: Record<string, string | number>[];
  established: boolean;
}

const DEADLINE_MS = 10_000;
const WIDTH = 100;
const TIMES = 12;
const CHAPTERS = [
  ['first', 'What led to it'],
  ['noticed', 'What was noticed'],
  ['decided', 'What was decided, and why'],
  ['done', 'What was done'],
  ['ended', 'How it ended'],
] as const;

/** @throws GraceError `NOT_RUNNING`, `NOT_FOUND` with the nearest id, or what the kernel answers */
export async function askStory(home: string, decision: string): Promise<DecisionStory> {
  const call = { kernel: 'clarity_framework', verb: 'explain', input: { decision }, from: 'cli' };
  return (await withSystem({ home }, (client) => client.request('call', call, DEADLINE_MS))) as DecisionStory;
}

/** The story as a person reads it. Each sentence names what it rests on: `#214` a record of the journal, `audit 7` one of the audit record. */
export function decisionLines(story: DecisionStory, out: Output): string[] {
  const lines = [out.paint('bold', `${story.id}  ${printable(story.title)}`)];
  if (story.correlation !== null) lines.push(`correlation ${printable(story.correlation)}`);
  for (const [name, head] of CHAPTERS) {
    if (story[name].length === 0) continue;
    lines.push('', out.paint('bold', head), ...story[name].flatMap((told) => sentence(told, out)));
  }
  return lines;
}

function sentence({ atMs, text, links, established }: Told, out: Output): string[] {
  const marks = links.map(mark).join(', ');
  const words = `${printable(text).replaceAll('\n', ' ')}${marks === '' ? '' : ` (${marks})`}`;
  return wrapped(words, WIDTH - TIMES - 2).map((line, i) => {
    const time = i === 0 && atMs !== null ? showTime(atMs) : '';
    return `${out.paint('dim', time.padStart(TIMES))}  ${established ? line : out.paint('warn', line)}`;
  });
}

function mark(link: Record<string, string | number>): string {
  const [kind = '', id = ''] = Object.entries(link)[0] ?? [];
  if (kind === 'record') return `#${id}`;
  return kind === 'audit' ? `audit ${id}` : printable(String(id));
}
