import { didYouMean, GraceError, type Incident } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { DecisionBook } from '../decisions/book.ts';
import type { Archive } from '../happenings/archive.ts';
import type { Happening } from '../happenings/happening.ts';
import { type AuditFound, decisionStory } from './decision-story.ts';
import { incidentStory, sceneOf } from './incident-story.ts';
import type { Story } from './story.ts';

/** Gathers what is known, and tells it. */
export interface Teller {
  /** @throws GraceError `UNKNOWN_INCIDENT` with the nearest id */
  incident(id: string): Promise<Story>;
  /** @throws GraceError `NOT_FOUND` with the nearest id */
  decision(id: string): Promise<Story>;
}

const DEADLINE_MS = 1500;
/** Entries of the audit record that are read for one story. */
const AUDIT_MAX = 20;
const NAMES = 500;

export function createTeller(ctx: KernelContext, archive: Archive, book: DecisionBook): Teller {
  /** As the supervisor has it; null when it cannot be asked, or knows of none. */
  const fromSupervisor = async (id: string): Promise<Incident | null> => {
    try {
      const found = (await ctx.supervisor.command('incident', { id }, DEADLINE_MS)) as Incident | Incident[];
      return (Array.isArray(found) ? found : [found]).find((incident) => incident.id === id) ?? null;
    } catch (error) {
      ctx.log.debug('the supervisor told nothing of an incident', { id, error: (error as Error).message });
      return null;
    }
  };

  const happeningsOf = (id: string, incident: Incident | null): Happening[] => {
    const own = archive.ofIncident(id);
    const opened = own.find(({ name }) => name === 'incident:open');
    const shared = opened?.correlation ?? incident?.correlation ?? null;
    const runs = own.flatMap(({ name, run }) => (name === 'playbook:start' && run !== null ? [run] : []));
    const closedSeq = own.find(({ name }) => name === 'incident:close')?.seq ?? Number.MAX_SAFE_INTEGER;
    const belonging = [
      ...own,
      // What the supervisor counts to it; what is not among these was not heard.
      ...archive.at(incident?.events ?? []).values(),
      ...archive.ofRuns(runs),
      ...(shared === null
        ? []
        : archive.ofCorrelation(shared).filter(({ incident }) => incident === null || incident === id)),
      ...(opened?.about ? sceneOf(opened, closedSeq, archive.about(opened.about, 1, closedSeq)) : []),
    ];
    const unique = new Map(belonging.map((happening) => [happening.seq, happening]));
    return [...unique.values()].sort((a, b) => a.seq - b.seq);
  };

  const auditEntry = async (seq: number): Promise<AuditFound> => {
    try {
      const { entries } = (await ctx.call(
        'immutable_log',
        'read',
        { from: seq, limit: 1 },
        { deadlineMs: DEADLINE_MS },
      )) as {
        entries: { seq: number; atMs: number; actor: string; action: string; resource: string; outcome: string }[];
      };
      const entry = entries.find((one) => one.seq === seq);
      if (!entry) return { seq, error: 'there is none with this number' };
      const { atMs, actor, action, resource, outcome } = entry;
      return { seq, atMs, words: `on the audit record: ${actor}, ${action}, ${resource}: ${outcome}` };
    } catch (error) {
      const code = error instanceof GraceError ? `${error.code}: ` : '';
      return { seq, error: `${code}${(error as Error).message}`.slice(0, 200) };
    }
  };

  return {
    async incident(id) {
      const incident = await fromSupervisor(id);
      const happenings = happeningsOf(id, incident);
      if (happenings.length === 0 && !incident) {
        const known = archive.incidents(NAMES);
        const short = id.slice(0, 60);
        throw new GraceError(
          'UNKNOWN_INCIDENT',
          `nothing is known of an incident ${JSON.stringify(short)}${didYouMean(short, known)}; the last: ${known.slice(0, 5).join(', ') || 'none'}`,
          { id: short },
        );
      }
      return incidentStory({ id, happenings, decisions: book.ofIncident(id), incident });
    },
    async decision(id) {
      const decision = book.get(id);
      const { evidence, correlation } = decision;
      const audit = await Promise.all(evidence.audit.slice(0, AUDIT_MAX).map(auditEntry));
      for (const seq of evidence.audit.slice(AUDIT_MAX))
        audit.push({ seq, error: 'too many are named to read them all' });
      return decisionStory({
        decision,
        records: archive.at(evidence.records),
        incidents: new Map(evidence.incidents.map((incident) => [incident, happeningsOf(incident, null)])),
        audit,
        grounds: evidence.decisions.flatMap((ground) => book.find(ground) ?? []),
        followers: book.followers(id),
        correlated: correlation === null ? [] : archive.ofCorrelation(correlation),
      });
    },
  };
}
