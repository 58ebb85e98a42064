import type { Family, HistogramFamily } from './exposition.ts';

const BOUNDS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What this server counts of itself. Routes are those of its table, so there are no more series than routes and codes. */
export class OwnCounts {
  readonly #requests = new Map<string, { labels: Record<string, string>; value: number }>();
  readonly #times = new Map<string, { buckets: number[]; sum: number; count: number }>();
  refusedRate = 0;
  malformed = 0;

  answered(route: string, method: string, status: number, ms: number): void {
    const key = `${route} ${method} ${status}`;
    const counted = this.#requests.get(key) ?? { labels: { route, method, code: String(status) }, value: 0 };
    counted.value++;
    this.#requests.set(key, counted);
    const times = this.#times.get(route) ?? { buckets: BOUNDS_S.map(() => 0), sum: 0, count: 0 };
    times.sum += ms / 1000;
    times.count++;
    for (const [i, bound] of BOUNDS_S.entries()) if (ms / 1000 <= bound) times.buckets[i]!++;
    this.#times.set(route, times);
  }

  families(now: {
    connections: number;
    streams: number;
    tokens: number;
    calling: number;
  }): (Family | HistogramFamily)[] {
    const one = (name: string, help: string, value: number, type: Family['type'] = 'gauge'): Family => ({
      name: `grace_api_${name}`,
      help,
      type,
      samples: [{ value }],
    });
    return [
      {
        name: 'grace_api_requests_total',
        help: 'Requests answered.',
        type: 'counter',
        samples: [...this.#requests.values()],
      },
      {
        name: 'grace_api_request_seconds',
        help: 'Time to the end of the answer.',
        type: 'histogram',
        samples: [...this.#times].map(([route, { buckets, sum, count }]) => ({
          labels: { route },
          buckets: BOUNDS_S.map((bound, i) => [bound, buckets[i]!]),
          sum,
          count,
        })),
      },
      one('rate_limited_total', 'Requests refused for their rate.', this.refusedRate, 'counter'),
      one('malformed_total', 'Connections on which something came that is no request.', this.malformed, 'counter'),
      one('connections', 'Open connections.', now.connections),
      one('streams', 'Open event streams.', now.streams),
      one('tokens', 'Tokens there are.', now.tokens),
      one('calls', 'Verb calls under way.', now.calling),
    ];
  }
}
