import type { Incident, StatusDocument } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { words } from '../act/deed.ts';

const DEADLINE_MS = 500;
const INCIDENTS_MAX = 10;

/** What could be found out, or why not. */
type Part<T> = ({ available: true } & T) | { available: false; why: string };

/** What is known of the system when a goal comes in. Each part has its own deadline, and a goal is planned without those that are not there. */
export interface Context {
  kernels: Part<{ total: number; running: string[]; down: string[] }>;
  incidents: Part<{ open: { id: string; kind: string; subject: string; severity: string }[]; more: number }>;
}

export async function enrich(ctx: Pick<KernelContext, 'supervisor'>): Promise<Context> {
  const [kernels, incidents] = await Promise.all([
    part(async () => {
      const status = (await within(ctx.supervisor.command('status', {}, DEADLINE_MS))) as StatusDocument;
      const running = status.kernels.filter(({ state }) => state === 'running').map(({ id }) => id);
      const down = status.kernels.filter(({ state }) => state !== 'running').map(({ id }) => id);
      return { total: status.kernels.length, running, down };
    }),
    part(async () => {
      const all = (await within(ctx.supervisor.command('incident', {}, DEADLINE_MS))) as Incident[];
      const open = all.filter(({ closedMono }) => closedMono === undefined);
      const shown = open
        .slice(-INCIDENTS_MAX)
        .map(({ id, kind, subject, severity }) => ({ id, kind, subject, severity }));
      return { open: shown, more: open.length - shown.length };
    }),
  ]);
  return { kernels, incidents };
}

async function part<T extends object>(read: () => Promise<T>): Promise<Part<T>> {
  try {
    return { available: true, ...(await read()) };
  } catch (error) {
    return { available: false, why: words(error) };
  }
}

/** A second deadline beside that of the command. */
async function within<T>(work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${DEADLINE_MS} ms`)), DEADLINE_MS + 100);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
