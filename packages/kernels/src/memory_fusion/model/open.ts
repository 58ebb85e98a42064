import type { KernelContext } from '@grace/kernel-sdk';
import { createVectorCache } from '../store/vector-cache.ts';
import { createBacklog } from './backlog.ts';
import { createModelLedger } from './ledger.ts';
import { createModel } from './model.ts';
import type { ModelSettings } from './settings.ts';

/** All that belongs to a configured endpoint. */
export function openEndpoint(ctx: KernelContext, settings: ModelSettings, cacheBytes: number) {
  const { store, log, signal } = ctx;
  const shelf = { table: 'model_vector', dimension: settings.dimension } as const;
  const cache = createVectorCache(store.db, shelf, cacheBytes);
  const ledger = createModelLedger(store, settings.charactersPerDay);
  const model = createModel(settings, ledger, ctx);
  return { cache, ledger, model, backlog: createBacklog(store, model, cache, log, signal) };
}
