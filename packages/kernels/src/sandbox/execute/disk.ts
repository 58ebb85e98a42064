import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';

const LOOK_MS = 250;
const BLOCK_BYTES = 512;
/** Also what has no bytes takes room; and nobody looks at more than this. */
const ENTRIES_MAX = 10_000;

/** Whether a folder takes more room than this, with all inside; links are not followed. What goes while it looks is passed over. */
export async function isLarger(folder: string, maxBytes: number): Promise<boolean> {
  let bytes = 0;
  let entries = 0;
  const folders = [folder];
  for (const one of folders) {
    try {
      for await (const entry of await opendir(one)) {
        const path = join(one, entry.name);
        if (entry.isDirectory()) folders.push(path);
        else bytes += (await lstat(path).catch(() => ({ blocks: 0 }))).blocks * BLOCK_BYTES;
        if (bytes > maxBytes || ++entries > ENTRIES_MAX) return true;
      }
    } catch (error) {
      if (!['ENOENT', 'EACCES'].includes((error as NodeJS.ErrnoException).code!)) throw error;
    }
  }
  return false;
}

/** Looks at a folder again and again, never twice at once. */
export function watchDisk(folder: string, maxBytes: number, onLarger: () => void): { end(): void } {
  let timer: NodeJS.Timeout;
  let isOver = false;
  const look = async (): Promise<void> => {
    const larger = await isLarger(folder, maxBytes).catch(() => false);
    if (isOver) return;
    if (larger) onLarger();
    else timer = setTimeout(look, LOOK_MS);
  };
  timer = setTimeout(look, LOOK_MS);
  return {
    end() {
      isOver = true;
      clearTimeout(timer);
    },
  };
}
