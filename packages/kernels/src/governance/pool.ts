/**
 * @module
 * Runs in a thread of its own, once for each task, and ends with it; its twin in the kernel's thread is policies/checker.ts.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { toWireError } from '@grace/contracts';
import { createCedarHost } from './engine/cedar.ts';
import { decideOnce } from './engine/engine.ts';
import { readQuestion } from './engine/question.ts';
import { provenPolicies, unbroken } from './policies/check.ts';
import type { Checked, CheckTask } from './policies/checker.ts';
import { mergeSettings, settingsOf } from './policies/settings-file.ts';
import { readSources } from './policies/sources.ts';

async function check({ folders, files, set: given, question }: CheckTask): Promise<Checked> {
  const host = createCedarHost();
  const sources = folders ? await readSources(folders) : files && { files, settings: mergeSettings(settingsOf(files)) };
  return unbroken(host, () => {
    const set = sources ? provenPolicies(host, sources) : given!;
    if (!question) return { set, verdict: null };
    const { principal, ...asked } = question;
    return { set, verdict: decideOnce(host, set, readQuestion(asked, principal, set)) };
  });
}

parentPort!.postMessage(
  await check(workerData as CheckTask).then(
    (checked) => ({ checked }),
    (error: unknown) => ({ error: toWireError(error) }),
  ),
);
