import type { StatusDocument } from '@grace/contracts';
import type { TokenBook } from '../access/token-book.ts';
import { busFamilies } from '../metrics/bus-families.ts';
import { CONTENT_TYPE, exposition, type Family } from '../metrics/exposition.ts';
import type { OwnCounts } from '../metrics/own-counts.ts';
import { incidentFamilies, systemFamilies } from '../metrics/system-families.ts';
import type { Settings } from '../settings.ts';
import type { SystemView } from '../system-view.ts';
import { document, object, Reply, type Route } from './route.ts';

export interface SystemRouteParts {
  view: SystemView;
  settings: Settings;
  book: TokenBook;
  counts: OwnCounts;
  load(): { connections: number; streams: number };
  openapi(): Promise<object>;
}

const READINESS = object({ ready: { type: 'boolean' }, reasons: { type: 'array', items: { type: 'string' } } }, [
  'ready',
  'reasons',
]);

export function systemRoutes(parts: SystemRouteParts): Route[] {
  const { view, settings, book, counts } = parts;
  const bare = { tag: 'system', role: 'viewer', method: 'GET' } as const;
  return [
    {
      ...bare,
      path: '/healthz',
      id: 'health',
      summary: 'Whether this server answers at all',
      answers: { 200: { description: 'It does.', schema: object({ alive: { type: 'boolean' } }, ['alive']) } },
      handle: () => ({ alive: true }),
    },
    {
      ...bare,
      path: '/readyz',
      id: 'readiness',
      summary: 'Whether every kernel does its job, and if not, why',
      answers: {
        200: { description: 'The system is ready.', schema: READINESS },
        503: { description: 'It is not.', schema: READINESS },
      },
      async handle() {
        const reasons = await view.status().then(
          (status) => unreadiness(status, settings.readyWithout),
          (error: Error) => [`the supervisor does not answer: ${error.message}`],
        );
        return new Reply(reasons.length === 0 ? 200 : 503, {}, { ready: reasons.length === 0, reasons });
      },
    },
    {
      ...bare,
      path: '/metrics',
      id: 'metrics',
      summary: 'Figures in the text format of Prometheus',
      answers: { 200: { description: 'Families of metrics.', type: 'text/plain', schema: { type: 'string' } } },
      async handle() {
        const [system, incidents, bus] = await Promise.all([
          view.status().then(systemFamilies, () => []),
          view.incidents().then(incidentFamilies, () => []),
          view.bus().then(busFamilies, () => []),
        ]);
        const up: Family = {
          name: 'grace_scrape_up',
          help: 'Whether this source answered the scrape.',
          type: 'gauge',
          samples: [
            { labels: { source: 'supervisor' }, value: system.length > 0 ? 1 : 0 },
            { labels: { source: 'message_bus' }, value: bus.length > 0 ? 1 : 0 },
          ],
        };
        const own = counts.families({ ...parts.load(), tokens: book.count, calling: view.calling });
        return new Reply(
          200,
          { 'content-type': CONTENT_TYPE },
          exposition([up, ...system, ...incidents, ...bus, ...own]),
        );
      },
    },
    {
      ...bare,
      path: '/openapi.json',
      id: 'openapi',
      summary: 'This description',
      answers: { 200: { description: 'An OpenAPI 3.1 document.', schema: document('OpenAPI 3.1') } },
      handle: () => parts.openapi(),
    },
    {
      ...bare,
      path: '/api/v1/whoami',
      id: 'whoami',
      summary: 'Whose token this is, and what it may',
      answers: {
        200: {
          description: 'The caller.',
          schema: object(
            {
              id: { type: 'string' },
              principal: { type: 'string' },
              role: { type: 'string' },
              verbs: { type: ['array', 'null'], items: { type: 'string' } },
            },
            ['id', 'principal', 'role', 'verbs'],
          ),
        },
      },
      handle: ({ caller }) => caller,
    },
    {
      ...bare,
      path: '/api/v1/status',
      id: 'status',
      summary: 'The system, its cells, kernels and bus, as `grace status --json` has them',
      answers: { 200: { description: 'The status document.', schema: document('See docs/cli.md.') } },
      handle: () => view.status(),
    },
  ];
}

/** Why the system is not ready; empty: it is. */
export function unreadiness({ system, kernels }: StatusDocument, without: readonly string[]): string[] {
  const phase = system.state === 'booting' || system.state === 'stopping' ? [`the system is ${system.state}`] : [];
  const down = kernels
    .filter(({ id, state }) => state !== 'running' && !without.includes(id))
    .map(({ id, state, error }) => `${id} is ${state}${error ? `: ${error.code}` : ''}`);
  return [...phase, ...down];
}
