import { showBytes, showMs } from '../output/figures.ts';
import { type Output, printable } from '../output/output.ts';
import { wrapped } from '../output/wrapped.ts';
import { EVIDENCE_WORDS } from './evidence-files.ts';
import type { EvidenceFile, Sentence, Story, Touched } from './story.ts';

/** Columns a line may take. */
const WIDTH = 100;
/** Columns of the times. */
const TIMES = 10;

/** A story as a person reads it. */
export function storyLines(story: Story, out: Output): string[] {
  const { incident, cause } = story;
  const chapter = (head: string, lines: string[]): string[] =>
    lines.length === 0 ? [] : ['', out.paint('bold', head), ...lines];
  const sentences = (list: readonly Sentence[]): string[] => list.flatMap((sentence) => sentenceLines(sentence, out));
  return [
    out.paint('bold', `${incident.id}  ${printable(incident.title)}`),
    `${incident.kind}, ${incident.severity}${incident.escalated ? ', escalated' : ''}; ${subjectOf(story)}`,
    `opened ${new Date(incident.openedWall).toISOString()}, ${standing(story, out)}; times are relative to that`,
    ...chapter('First seen', sentences(story.seen)),
    ...chapter('What the judgement said', sentences(story.judged)),
    ...chapter('Ruled out', sentences(story.ruledOut)),
    ...chapter('What was done', sentences(story.tried)),
    ...chapter('Who else was touched', othersLines(story.others, out)),
    ...chapter('Other incidents at the same time', sentences(story.related)),
    ...chapter('How it ended', sentences(story.ending)),
    ...chapter('Cause', [
      ...(cause.established.length === 0 ? [`${' '.repeat(TIMES)}  ${out.paint('warn', 'not established')}`] : []),
      ...sentences(cause.established),
    ]),
    ...chapter('Not established', sentences(cause.notEstablished)),
    ...chapter(
      'Evidence',
      story.evidence.flatMap((file) => evidenceLines(file, out)),
    ),
  ];
}

function subjectOf({ incident: { subject, cell } }: Story): string {
  return cell === null || cell === subject ? subject : `${subject} in cell ${cell}`;
}

function standing({ state, lastedMs }: Story, out: Output): string {
  if (state === 'closed') return `closed after ${showMs(lastedMs)}`;
  return out.paint('warn', state);
}

function sentenceLines({ atMs, text, events }: Sentence, out: Output): string[] {
  return lines(atMs === null ? '' : relative(atMs), text, events, out);
}

function lines(time: string, text: string, events: readonly number[], out: Output): string[] {
  const marks = numbers(events);
  const body = wrapped(
    `${printable(text).replaceAll('\n', ' ')}${marks === '' ? '' : ` (${marks})`}`,
    WIDTH - TIMES - 2,
  );
  return body.map((line, i) => `${out.paint('dim', (i === 0 ? time : '').padStart(TIMES))}  ${line}`);
}

function othersLines(others: readonly Touched[], out: Output): string[] {
  if (others.length === 0) return lines('', 'nobody: no other kernel left running or was judged ill with it', [], out);
  return others.flatMap(({ kernel, fromMs, forMs, text, linked, events }) => {
    const long = forMs === null ? 'not over by the end of the record' : `for ${showMs(forMs)}`;
    const tie = linked ? '' : '; the same time is all that ties it to this incident';
    return lines(relative(fromMs), `${kernel} ${long}: ${text}${tie}`, events, out);
  });
}

/** As many lines of a file as tell where to look; the file has the rest. */
const TOP = 8;

export function evidenceLines({ kind, file, bytes, top, event }: EvidenceFile, out: Output): string[] {
  return [
    `  ${printable(file)} (${EVIDENCE_WORDS[kind]}, ${showBytes(bytes)}, #${event})`,
    ...top.slice(0, TOP).map((line) => out.paint('dim', `      ${printable(line).slice(0, WIDTH - 6)}`)),
  ];
}

/** `+1.2 s`, `-350 ms` */
function relative(ms: number): string {
  return `${ms < 0 ? '-' : '+'}${showMs(Math.abs(ms))}`;
}

/** `#3 #4`; many by their first and last. */
function numbers(events: readonly number[]): string {
  if (events.length <= 6) return events.map((seq) => `#${seq}`).join(' ');
  return `#${events[0]} ... #${events.at(-1)}, ${events.length} records`;
}
