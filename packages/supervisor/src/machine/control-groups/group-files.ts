import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';

/** What is done to the tree of control groups. A tree of its own in tests; paths are absolute. */
export interface GroupFiles {
  read(path: string): Promise<string>;
  /** Into a file that is there: a control group's files are never made. */
  write(path: string, text: string): Promise<void>;
  /** The group; nothing when it is there already. Its parent must be. */
  make(group: string): Promise<void>;
  /** Refused with `EBUSY` while it holds a task or a group. */
  remove(group: string): Promise<void>;
  /** Names of the groups inside. */
  list(group: string): Promise<string[]>;
}

/** The tree of this machine. Off the main thread: putting a thread into another group waits for every processor, 5-15 ms. */
export const systemGroupFiles: GroupFiles = {
  read: (path) => readFile(path, 'latin1'),
  async write(path, text) {
    try {
      await writeFile(path, text, { flag: 'r+' });
    } catch (error) {
      const code = errno(error);
      throw Object.assign(new Error(`${path} refuses "${text}": ${code}`), { code });
    }
  },
  async make(group) {
    try {
      await mkdir(group);
    } catch (error) {
      if (errno(error) !== 'EEXIST') throw error;
    }
  },
  remove: (group) => rmdir(group),
  async list(group) {
    const entries = await readdir(group, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  },
};

export function errno(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
