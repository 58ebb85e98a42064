import { fileURLToPath } from 'node:url';
import type { AnyRecord, Incident } from '@grace/contracts';
import { bootSystem, poll, type System, type SystemOptions } from '@grace/testkit';

const PROGRAMS = fileURLToPath(new URL('programs.mjs', import.meta.url));
const patient = { budget: 50, reset_after: '1h' };

/**
 * A system with a hostile kernel, a mate in its cell and another one apart: who suffers is what the tests ask.
 * A kernel that took its cell down is alone for 2 s only, so that its return is seen as well.
 */
export async function bootHostile(options: SystemOptions = {}, more: Record<string, object> = {}): Promise<System> {
  const entries: Record<string, object> = {
    hostile: { cell: 'pair', restart: patient, limits: { heap: '96MiB', off_heap: '128MiB' } },
    mate: { cell: 'pair', restart: patient },
    other: { cell: 'apart' },
    ...more,
  };
  const ids = Object.keys(entries);
  const module = (id: string): string =>
    `import hostile from ${JSON.stringify(PROGRAMS)};\nexport default hostile(${JSON.stringify(id)});\n`;
  return await bootSystem({
    config: {
      settings: { solitary: '2s' },
      kernels: Object.fromEntries(
        ids.map((id) => [id, { module: `./${id}.mjs`, needs: ['message_bus'], ...entries[id] }]),
      ),
    },
    files: Object.fromEntries(ids.map((id) => [`${id}.mjs`, module(id)])),
    args: ['--only', ids.join(',')],
    ...options,
  });
}

/** Waits until everything that was noticed is settled, and the hostile kernel is back among its mates. */
export async function settled(system: System): Promise<void> {
  await poll(
    'every incident is closed, and everybody is at home',
    async () => {
      const open = (await openIncidents(system)).map(({ kind, subject }) => `${kind} of ${subject}`);
      const { kernels } = await system.status();
      const away = kernels.filter(({ state }) => state !== 'running').map(({ id, state }) => `${id} is ${state}`);
      const alone = kernels.filter(({ cell }) => cell.startsWith('solo_')).map(({ id, cell }) => `${id} is in ${cell}`);
      const left = [...open, ...away, ...alone];
      if (left.length > 0) throw new Error(left.join(', '));
      return true;
    },
    { deadlineMs: 60_000 },
  );
}

/** A busy machine is an incident of its own, and nobody's fault inside. */
async function openIncidents(system: System): Promise<Incident[]> {
  const all = await system.client.request('incidents', {});
  return all.filter(({ closedMono, subject }) => closedMono === undefined && subject !== 'machine');
}

/** The journal from here on. */
export async function recordsAfter(system: System, seq: number): Promise<AnyRecord[]> {
  return (await system.journal()).filter((record) => record.seq > seq);
}

export async function incarnations(system: System): Promise<[string, number][]> {
  return (await system.status()).kernels.map(({ id, incarnation }) => [id, incarnation]);
}
