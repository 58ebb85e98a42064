import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** A folder of its own, removed when the test ends. */
export async function freshFolder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'grace-ledger-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}
