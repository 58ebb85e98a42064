import { randomBytes } from 'node:crypto';
import { GraceError } from '@grace/contracts';
import { PROBE } from './access/desk.ts';
import { PROBE_NAME } from './names.ts';
import type { Parts } from './parts.ts';
import { versionOf, withValue } from './vault/contents.ts';

/** The probe's secret is stored anew at most this often, and at once after a failure: each time writes the whole vault. */
const STORE_EVERY_MS = 60_000;

/**
 * The job once, for real: stores a secret, reads it back from the disk as a principal that may, and sees one that may not refused. The
 * probe's one secret has one version, so the vault does not grow.
 */
export function createProbe({ ctx, vault, desk, nowMs }: Parts): () => Promise<Record<string, unknown>> {
  let stored: { value: string; atMono: number } | null = null;

  const store = async (): Promise<string> => {
    const value = `probe ${randomBytes(16).toString('hex')}`;
    ctx.secrets.know(value);
    await vault.change((contents) => {
      const next = withValue(contents, {
        name: PROBE_NAME,
        value,
        by: ctx.id,
        nowMs: nowMs(),
        graceMs: 0,
        versionsMax: 1,
      });
      return { contents: next.contents, result: null };
    });
    return value;
  };

  return async () => {
    const isFresh = stored !== null && ctx.clock.monoMs() - stored.atMono < STORE_EVERY_MS;
    const { value, atMono } = isFresh ? stored! : { value: await store(), atMono: ctx.clock.monoMs() };
    // Set again only when all that follows has held.
    stored = null;
    const onDisk = await vault.check();
    await desk.may(PROBE.granted, 'get', PROBE_NAME);
    const refused = await desk.may(PROBE.stranger, 'get', PROBE_NAME).then(
      () => null,
      (error: unknown) => error,
    );
    if (!(refused instanceof GraceError && refused.code === 'FORBIDDEN'))
      throw new GraceError(
        'INTERNAL',
        'secret_manager does not do its job: a principal without a grant was not refused',
      );
    for (const contents of [onDisk, vault.contents])
      if (versionOf(contents, PROBE_NAME, undefined, nowMs()).value !== value)
        throw new GraceError('INTERNAL', 'secret_manager does not do its job: a secret is not the one that was stored');
    stored = { value, atMono };
    return {
      generation: vault.standing.generation,
      stored: !isFresh,
      secrets: vault.contents.secrets.size - 1,
      refused: refused.code,
    };
  };
}
