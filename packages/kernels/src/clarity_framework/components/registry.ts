import { didYouMean, GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import type { Announcement } from './announcement.ts';
import type { Agreement } from './handshake.ts';

/** announced: it said what it is. accepted, refused: its last handshake. */
export type Standing = 'announced' | 'accepted' | 'refused';

export interface Component extends Announcement {
  /** The principal that registered it; nobody else may speak for it. */
  by: string;
  standing: Standing;
  /** Of the last handshake; null: there was none since it was announced. */
  agreement: Agreement | null;
  registeredMs: number;
}

/** Components that are no kernels, on disk. */
export interface Registry {
  /** @throws GraceError `FORBIDDEN` when another principal registered it, `TOO_LARGE` */
  register(announcement: Announcement, by: string, nowMs: number): { component: Component; changed: boolean };
  settle(id: string, agreement: Agreement): Component;
  withdraw(id: string, by: string): void;
  get(id: string): Component | undefined;
  /** @throws GraceError `NOT_FOUND` with the nearest id, `FORBIDDEN` */
  own(id: string, by: string): Component;
  all(): Component[];
}

export const COMPONENT_TABLES = `
  CREATE TABLE component (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
`;
const COMPONENTS_MAX = 500;

export function createRegistry(store: KernelStore): Registry {
  const { db } = store;
  const put = db.prepare('INSERT OR REPLACE INTO component (id, body) VALUES (?, ?)');
  const drop = db.prepare('DELETE FROM component WHERE id = ?');
  const rows = db.prepare('SELECT body FROM component').all() as { body: string }[];
  const components = new Map(
    rows.map(({ body }) => {
      const component = JSON.parse(body) as Component;
      return [component.id, component];
    }),
  );
  /** First on disk, then known. */
  const keep = (component: Component): Component => {
    store.transaction(() => void put.run(component.id, JSON.stringify(component)));
    components.set(component.id, component);
    return component;
  };
  const own = (id: string, by: string): Component => {
    const component = components.get(id);
    if (!component) {
      throw new GraceError('NOT_FOUND', `no component "${id}" is registered${didYouMean(id, components.keys())}`, {
        id,
      });
    }
    if (component.by !== by) {
      throw new GraceError('FORBIDDEN', `${id} was registered by ${component.by}; ${by} cannot speak for it`, { id });
    }
    return component;
  };

  return {
    register(announcement, by, nowMs) {
      const before = components.has(announcement.id) ? own(announcement.id, by) : undefined;
      if (!before && components.size >= COMPONENTS_MAX) {
        throw new GraceError('TOO_LARGE', `there are ${COMPONENTS_MAX} components already; withdraw one first`);
      }
      if (before && isSame(before, announcement)) return { component: before, changed: false };
      const registered = { by, standing: 'announced' as const, agreement: null, registeredMs: nowMs };
      return { component: keep({ ...announcement, ...registered }), changed: true };
    },
    settle(id, agreement) {
      return keep({ ...components.get(id)!, standing: agreement.accepted ? 'accepted' : 'refused', agreement });
    },
    withdraw(id, by) {
      own(id, by);
      drop.run(id);
      components.delete(id);
    },
    get: (id) => components.get(id),
    own,
    all: () => [...components.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
}

function isSame(component: Component, { id, version, title, offers, needs, manifest }: Announcement): boolean {
  const { by: _, standing: __, agreement: ___, registeredMs: ____, ...before } = component;
  return JSON.stringify(before) === JSON.stringify({ id, version, title, offers, needs, manifest });
}
