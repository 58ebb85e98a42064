/**
 * @module
 * Runs in a thread of its own, once for each task, and ends with it; its twin in the kernel's thread is snapshots/soundness.ts.
 */
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { Form, SoundnessTask } from './snapshots/soundness.ts';

/** What is wrong with a file, or null. */
async function problem(path: string, form: Form): Promise<string | null> {
  try {
    if (form === 'database') return damage(path);
    const text = readFileSync(path, 'utf8');
    if (form === 'json') JSON.parse(text);
    else {
      // A file of its own: the parser is loaded only for this, and named exports of its package are there only where they are imported by name.
      const { refuseYaml } = await import('./snapshots/yaml-form.ts');
      refuseYaml(text);
    }
    return null;
  } catch (error) {
    return (error as Error).message.split('\n')[0]!.slice(0, 300);
  }
}

function damage(path: string): string | null {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    const { quick_check: said } = db.prepare('PRAGMA quick_check(1)').get() as { quick_check: string };
    return said === 'ok' ? null : said.slice(0, 300);
  } finally {
    db.close();
  }
}

const answers: (string | null)[] = [];
for (const { path, form } of workerData as SoundnessTask) answers.push(await problem(path, form));
parentPort!.postMessage(answers);
