import type { AnyRecord } from '@grace/contracts';
import { causeOf } from './cause.ts';
import { endingOf } from './ending.ts';
import { evidenceOf } from './evidence-files.ts';
import { othersOf } from './others.ts';
import { ruledOutOf } from './ruled-out.ts';
import { sceneOf } from './scene.ts';
import { judgedOf, relatedOf, seenOf } from './seen.ts';
import type { Story } from './story.ts';
import { triedOf } from './tried.ts';

/**
 * Tells the story of one incident from journal records, oldest first: those from a little before its opening to its end and after, and
 * before them at least the opening of the incident of a full machine that was open then. Pure.
 * @throws GraceError `UNKNOWN_INCIDENT` when the records hold no opening of it
 */
export function storyOf(records: readonly AnyRecord[], id: string): Story {
  const scene = sceneOf(records, id);
  const { opened, closed } = scene;
  const { incident } = opened.data;
  return {
    incident: {
      id: incident.id,
      kind: incident.kind,
      subject: incident.subject,
      title: incident.title,
      severity: incident.severity,
      openedWall: opened.wallMs,
      escalated: scene.mine.some((record) => record.name === 'incident:escalate' && record.data.id === id),
      cell: incident.cell ?? opened.cell ?? null,
      correlation: scene.correlation ?? null,
    },
    state: closed ? 'closed' : scene.cutOff ? 'cut off' : 'open',
    lastedMs: closed ? Math.round(closed.monoMs - opened.monoMs) : null,
    seen: seenOf(scene),
    judged: judgedOf(scene),
    ruledOut: ruledOutOf(scene),
    tried: triedOf(scene),
    others: othersOf(scene),
    related: relatedOf(scene),
    ending: endingOf(scene),
    cause: causeOf(scene),
    evidence: evidenceOf(scene),
  };
}
