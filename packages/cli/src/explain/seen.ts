import type { DetectorMethod } from '@grace/contracts';
import { inWords } from './evidence-words.ts';
import { mineOf, named, type Scene } from './scene.ts';
import type { Sentence } from './story.ts';

const METHODS: Record<DetectorMethod, string> = {
  heartbeat: 'heartbeat',
  probe: 'functional probe',
  log_activity: 'log activity',
  metric: 'metrics',
  exit: 'end of a thread or process',
  bus_counter: 'counters of the bus',
};

/** What was noticed, by which method, in the order in which it was noticed. Each method speaks once per incident. */
export function seenOf(scene: Scene): Sentence[] {
  return mineOf(scene, 'detector:fire').map((record) => {
    const words = inWords(record.data.evidence);
    return {
      atMs: scene.at(record),
      text: `${METHODS[record.data.method] ?? record.data.method}${words === '' ? '' : `: ${words}`}`,
      events: [record.seq],
    };
  });
}

/** What the judgement said of the kernel, and how sure it was; and whether the whole machine was full. */
export function judgedOf(scene: Scene): Sentence[] {
  const conditions = mineOf(scene, 'kernel:condition').map((record): Sentence => {
    const { from, to, confidence, evidence } = record.data;
    const words = inWords(evidence);
    return {
      atMs: scene.at(record),
      text: `${record.kernel}: ${from} -> ${to}, confidence ${confidence.toFixed(2)}${words === '' ? '' : `: ${words}`}`,
      events: [record.seq],
    };
  });
  return [...conditions, ...machineOf(scene)].sort((a, b) => a.events[0]! - b.events[0]!);
}

function machineOf({ full, at }: Scene): Sentence[] {
  if (!full) return [];
  const text = `every core of the machine was busy at that time (incident ${full.data.incident.id})`;
  return [{ atMs: at(full), text, events: [full.seq] }];
}

/** Further incidents of the same subject or fault while this one lasted. */
export function relatedOf(scene: Scene): Sentence[] {
  const { opened, closed, subject, cells, correlation, mine, at } = scene;
  const begin = mine[0]?.seq ?? opened.seq;
  return named(scene.around, 'incident:open')
    .filter(({ seq, data: { incident }, ...record }) => {
      if (seq === opened.seq || seq < begin || (closed && seq > closed.seq)) return false;
      const fault = correlation !== undefined && record.correlation === correlation;
      return incident.subject === subject || cells.has(incident.subject) || fault;
    })
    .map((record) => {
      const { id, kind, title } = record.data.incident;
      return { atMs: at(record), text: `${id} (${kind}): ${title}`, events: [record.seq] };
    });
}
