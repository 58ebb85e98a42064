import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Commit of the product's own source tree, and whether files differ from it; null where there is none. */
export async function sourceVersion(root: string): Promise<{ commit: string | null; dirty: boolean | null }> {
  const git = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)('git', ['-C', root, ...args], { timeout: 5000 })).stdout.trim();
  try {
    const commit = await git('rev-parse', 'HEAD');
    return { commit, dirty: (await git('status', '--porcelain', '--untracked-files=no')) !== '' };
  } catch {
    return { commit: null, dirty: null };
  }
}
