import type { BootedKernel, BootFacts } from '../model.ts';
import { type Journal, ref } from './journal.ts';

/** Phase 1: which kernels became ready, where, how fast, and what their first functional probe answered. */
export function bootFacts(journal: Journal): BootFacts {
  const boot = journal.first('system:boot');
  const ready = journal.first('system:ready');
  const firstReady = new Map<string, ReturnType<typeof journal.of<'kernel:ready'>>[number]>();
  for (const record of journal.of('kernel:ready')) {
    if (record.kernel !== undefined && !firstReady.has(record.kernel)) firstReady.set(record.kernel, record);
  }
  const failed = new Map(ready?.data.failed.map(({ kernel, error }) => [kernel, error]));
  const ids = [...new Set([...(boot?.data.kernels ?? []), ...firstReady.keys(), ...failed.keys()])];
  const kernels = ids.map((id): BootedKernel => {
    const record = firstReady.get(id);
    // What became ready only after the boot had been declared over was not part of the boot.
    const late = record !== undefined && ready !== undefined && failed.has(id);
    const error = failed.get(id);
    return {
      id,
      cell: record?.cell ?? journal.of('kernel:state').find((state) => state.kernel === id)?.cell ?? null,
      readyMs: late ? null : (record?.data.readyMs ?? null),
      probe: late ? null : (record?.data.probe ?? null),
      error: error ? { code: error.code, message: error.message } : null,
      evidence: late || record === undefined ? ref(error ? ready : undefined) : ref(record),
    };
  });
  return {
    ready:
      ready?.data.ready ?? (kernels.length > 0 ? kernels.filter((kernel) => kernel.readyMs !== null).length : null),
    total: ready?.data.total ?? boot?.data.kernels.length ?? null,
    ms: ready?.data.ms ?? null,
    kernels,
    evidence: [...ref(boot), ...ref(ready)],
  };
}
