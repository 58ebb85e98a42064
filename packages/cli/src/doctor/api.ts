import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HOME } from '@grace/contracts';
import type { Finding } from './finding.ts';

const DEADLINE_MS = 2000;

/** Where the HTTP server of a running system listens, and whether it answers there. Nothing when none is announced. */
export async function apiFindings(home: string): Promise<Finding[]> {
  const finding = (state: Finding['state'], detail: string): Finding[] => [
    { id: 'api', title: 'HTTP server', state, detail, required: false },
  ];
  let url: string;
  try {
    ({ url } = JSON.parse(await readFile(join(home, HOME.api), 'utf8')) as { url: string });
  } catch {
    return finding('unused', 'no system with api_server runs in this home');
  }
  if (url.startsWith('unix:')) return finding('live', url);
  try {
    const { status } = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(DEADLINE_MS) });
    // 401: /healthz was not opened; it answers all the same.
    return status === 200 || status === 401 ? finding('live', url) : finding('absent', `${url} answers with ${status}`);
  } catch (error) {
    return finding(
      'absent',
      `${url} does not answer: ${((error as Error).cause as Error | undefined)?.message ?? (error as Error).message}`,
    );
  }
}
