import { type AnyRecord, didYouMean, EVENT_NAMES, GraceError } from '@grace/contracts';
import type { JournalTail } from '../events/journal-tail.ts';
import type { Streams } from '../events/streams.ts';
import type { Schema } from '../http/schema.ts';
import { SECURITY_HEADERS } from '../http/security-headers.ts';
import type { JournalPage, SystemView } from '../system-view.ts';
import { document, object, type Route, TAKEN } from './route.ts';

const SEQ: Schema = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const NAMES: Schema = {
  type: 'string',
  maxLength: 2000,
  description: 'Names of events with commas between, like `kernel:state,incident:open`; `incident:*` for all of a noun',
};
const SUBJECT: Schema = { type: 'string', maxLength: 64, description: 'Only records of this kernel' };
const PAGE_MAX = 1000;
const RECORD = document('A journal record: seq, name, wallMs, monoMs, kernel, data');

export function recordRoutes(view: SystemView, tail: JournalTail, streams: Streams): Route[] {
  const bare = { tag: 'journal', role: 'viewer', method: 'GET' } as const;
  return [
    {
      ...bare,
      path: '/api/v1/incidents',
      id: 'listIncidents',
      summary: 'Incidents, the newest first',
      query: object({
        open: { type: 'boolean', description: 'Only those that are open, or that are closed' },
        kind: { type: 'string', maxLength: 64 },
        subject: { type: 'string', maxLength: 64, description: 'Kernel, cell or principal' },
        limit: { type: 'integer', minimum: 1, maximum: PAGE_MAX },
      }),
      answers: {
        200: {
          description: 'At most `limit` (100); `total` fit the query.',
          schema: object({ incidents: { type: 'array', items: document('Incident') }, total: { type: 'integer' } }, [
            'incidents',
            'total',
          ]),
        },
      },
      async handle({ query: { open, kind, subject, limit } }) {
        const found = (await view.incidents())
          .filter((one) => open === undefined || (one.closedMono === undefined) === open)
          .filter(
            (one) => (kind === undefined || one.kind === kind) && (subject === undefined || one.subject === subject),
          )
          .sort((a, b) => b.openedMono - a.openedMono);
        return { incidents: found.slice(0, (limit as number | undefined) ?? 100), total: found.length };
      },
    },
    {
      ...bare,
      path: '/api/v1/incidents/:incident',
      id: 'getIncident',
      summary: 'One incident',
      params: object({ incident: { type: 'string', maxLength: 128 } }, ['incident']),
      answers: { 200: { description: 'The incident.', schema: document('Incident') } },
      handle: ({ params: { incident } }) => view.incident(incident!),
    },
    {
      ...bare,
      path: '/api/v1/journal',
      id: 'readJournal',
      summary: 'Records of the journal, a page at a time',
      query: object({
        after: { ...SEQ, description: 'Records behind this one; default: the last page' },
        limit: { type: 'integer', minimum: 1, maximum: PAGE_MAX },
        names: NAMES,
        kernel: SUBJECT,
      }),
      answers: {
        200: {
          description: '`next` is the `after` of the next page; `end` is the newest record there is.',
          schema: object(
            { records: { type: 'array', items: RECORD }, next: { type: 'integer' }, end: { type: 'integer' } },
            ['records', 'next', 'end'],
          ),
        },
      },
      async handle({ query }) {
        const limit = (query['limit'] as number | undefined) ?? 100;
        const wants = wanted(query);
        const after = (query['after'] as number | undefined) ?? Math.max(0, (await tail.end()) - limit);
        const { records, last, end }: JournalPage = await view.journal(after, limit);
        return { records: records.filter(wants), next: last, end };
      },
    },
    {
      ...bare,
      path: '/api/v1/events',
      id: 'followJournal',
      summary: 'The journal as server-sent events; `Last-Event-ID` goes on where a stream ended',
      query: object({
        after: { ...SEQ, description: 'Begin behind this record; default: now. `Last-Event-ID` comes first' },
        names: NAMES,
        kernel: SUBJECT,
      }),
      answers: {
        200: {
          description: 'Each event has the seq of its record as id, its name as event, and the record as data.',
          type: 'text/event-stream',
          schema: { type: 'string' },
        },
      },
      async handle({ query, headers, caller, take }) {
        if (!caller) throw new GraceError('FORBIDDEN', 'nobody in particular follows no events');
        const wants = wanted(query);
        const said = lastEventId(headers['last-event-id']) ?? (query['after'] as number | undefined);
        streams.check(caller);
        const end = await tail.end();
        if (said !== undefined && said > end)
          throw new GraceError('BAD_INPUT', `the journal ends at record ${end}, there is none with the id ${said}`);
        streams.check(caller);
        const response = take();
        response.writeHead(200, {
          ...SECURITY_HEADERS,
          'content-type': 'text/event-stream; charset=utf-8',
          'x-accel-buffering': 'no',
          connection: 'close',
        });
        streams.open(caller, { response, after: said ?? end, wants });
        return TAKEN;
      },
    },
  ];
}

function lastEventId(header: string | string[] | undefined): number | undefined {
  if (header === undefined || header === '') return undefined;
  if (typeof header === 'string' && /^\d{1,15}$/.test(header)) return Number(header);
  throw new GraceError('BAD_INPUT', 'last-event-id: expected the number of a journal record');
}

function wanted({ names, kernel }: Record<string, unknown>): (record: AnyRecord) => boolean {
  const given = typeof names === 'string' ? names.split(',').map((name) => name.trim()) : null;
  const nouns = new Set(EVENT_NAMES.map((name) => `${name.split(':')[0]}:*`));
  const known = [...EVENT_NAMES, ...nouns] as string[];
  const unknown = given?.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new GraceError(
      'BAD_INPUT',
      `query.names: there is no event "${unknown.slice(0, 60)}"${didYouMean(unknown.slice(0, 60), known)}`,
    );
  const set = given && new Set(given);
  return (record) =>
    (set === null || set.has(record.name) || set.has(`${record.name.split(':')[0]}:*`)) &&
    (kernel === undefined || record.kernel === kernel);
}
