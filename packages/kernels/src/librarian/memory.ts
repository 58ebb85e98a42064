import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';

/** Where the chunks of all documents are kept. */
export const NAMESPACE = 'library';

/** Chunks on their way to memory at once: enough to share a flush to disk, too few to crowd out others. */
const IN_FLIGHT = 16;

export interface Recalled {
  id: string;
  score: number;
}

export type Memory = ReturnType<typeof memoryOf>;

/** What the librarian asks of memory_fusion. Errors of memory_fusion and of the bus pass through with their codes. */
export function memoryOf(ctx: Pick<KernelContext, 'call' | 'signal'>) {
  const ask = async <T>(verb: string, input: unknown): Promise<T> =>
    (await ctx.call('memory_fusion', verb, input)) as T;
  return {
    /** Ids in the order of the texts. */
    async remember(
      namespace: string,
      texts: readonly { text: string; source: string; atMs: number }[],
    ): Promise<string[]> {
      const ids: string[] = [];
      let next = 0;
      const lane = async (): Promise<void> => {
        while (next < texts.length) {
          if (ctx.signal.aborted)
            throw new GraceError('KERNEL_NOT_RUNNING', 'the librarian ends; the rest is filed at its next start');
          const at = next++;
          const { text, source, atMs } = texts[at]!;
          const input = { text, source, atMs, namespace, kind: 'document' };
          ids[at] = (await ask<{ id: string }>('remember', input)).id;
        }
      };
      await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, texts.length) }, lane));
      return ids;
    },
    recall: (namespace: string, query: string, limit: number): Promise<Recalled[]> =>
      ask('recall', { namespace, query, limit }),
    forget: (ids: readonly string[]): Promise<void> => ask('forget', { ids }),
    forgetAll: (namespace: string): Promise<void> => ask('forget', { namespace }),
    /** How many memories a namespace holds. */
    async count(namespace: string): Promise<number> {
      const { namespaces } = await ask<{ namespaces: Record<string, Record<string, number>> }>('stats', {});
      return Object.values(namespaces[namespace] ?? {}).reduce((sum, n) => sum + n, 0);
    },
  };
}
