import { GraceError } from '@grace/contracts';
import { readAll } from '../commands/arguments.ts';
import type { Session } from '../session.ts';

/**
 * A secret from standard input: asked for without an echo on a terminal, else read to its end. One line end at its end is not part of it.
 * Never from the command line, which everybody on the machine can read.
 * @throws GraceError `USAGE` when nothing came or the question was interrupted, `TOO_LARGE`
 */
export async function readValue({ stdin, stderr }: Session, what: string): Promise<string> {
  const terminal = stdin as NodeJS.ReadStream;
  const text = terminal.isTTY ? await ask(terminal, stderr, what) : await readAll(stdin);
  const value = text.replace(/\r?\n$/, '');
  if (value === '') throw new GraceError('USAGE', `expected ${what} on standard input, and nothing came`);
  return value;
}

/** One line, shown to nobody. */
async function ask(stdin: NodeJS.ReadStream, stderr: NodeJS.WriteStream, what: string): Promise<string> {
  stderr.write(`${what} (not shown): `);
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  stdin.resume();
  let line = '';
  try {
    return await new Promise((resolve, reject) => {
      stdin.on('end', () => resolve(line));
      stdin.on('data', (keys: string) => {
        for (const key of keys) {
          if (key === '\r' || key === '\n' || key === '\x04') resolve(line);
          else if (key === '\x03') reject(new GraceError('USAGE', 'interrupted'));
          else if (key === '\x7f' || key === '\b') line = line.slice(0, -1);
          else line += key;
        }
      });
    });
  } finally {
    stdin.setRawMode(false);
    stdin.removeAllListeners('data').removeAllListeners('end').pause();
    stderr.write('\n');
  }
}
