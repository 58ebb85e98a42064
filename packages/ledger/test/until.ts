import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

const DEADLINE_MS = 30_000;

/** Waits for a truthy answer, and returns it. */
export function until<T>(
  t: TestContext,
  what: string,
  condition: () => T | Promise<T>,
): Promise<Exclude<T, null | undefined | false>> {
  const attempt = async () => {
    const value = await condition();
    assert.ok(value, `not in time: ${what}`);
    return value as Exclude<T, null | undefined | false>;
  };
  return t.waitFor(attempt, { interval: 20, timeout: DEADLINE_MS });
}
