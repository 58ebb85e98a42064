import type { ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { GraceError } from '@grace/contracts';
import { readWav } from '../audio/wav.ts';
import type { Exchanges } from './exchanges.ts';
import { SOUND_BYTES, type Synthesiser, spoken } from './synthesiser.ts';

export const ESPEAK = 'espeak-ng';
const DEADLINE_MS = 10_000;
/** Speaking is short; who asks for more at once waits for nobody. */
const AT_ONCE = 4;

/** espeak-ng as a child process: the text on its standard input, a WAV file from its standard output. It ends with its deadline or the kernel. */
export function createEspeak(exchanges: Exchanges): Synthesiser {
  let running = 0;
  return {
    speak: ({ session, turn, text, language }) =>
      exchanges.run(
        { session, turn, kind: 'tts', provider: ESPEAK, model: language, units: text.length },
        null,
        async (_headers, signal) => {
          if (running >= AT_ONCE) throw new GraceError('VOICE_FULL', `${AT_ONCE} answers are being spoken already`);
          running++;
          try {
            const samples = spoken(readWav(await runEspeak(text, language, signal)));
            return { value: samples, said: `${samples.length} samples`, status: null };
          } finally {
            running--;
          }
        },
      ),
  };
}

async function runEspeak(text: string, language: string, signal: AbortSignal): Promise<Buffer> {
  const { spawn } = await import('node:child_process');
  const child = spawn(ESPEAK, ['--stdin', '--stdout', '-v', language], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { PATH: process.env['PATH'] ?? '' },
    timeout: DEADLINE_MS,
    killSignal: 'SIGKILL',
    signal,
  });
  // Whoever ends before it has read everything is told by its exit, not by the pipe.
  child.stdin.on('error', () => {});
  child.stdin.end(text);
  return await output(child);
}

function output(child: ChildProcess): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const parts: Buffer[] = [];
  let length = 0;
  child.stdout!.on('data', (part: Buffer) => {
    length += part.length;
    if (length > SOUND_BYTES) child.kill('SIGKILL');
    else parts.push(part);
  });
  child.on('error', (error) => reject(failed(error.message)));
  child.on('close', (code, signal) => {
    if (length > SOUND_BYTES) reject(failed(`it says more than ${SOUND_BYTES} bytes`));
    else if (code !== 0) reject(failed(signal === null ? `it ended with ${code}` : `it was ended by ${signal}`));
    else resolve(Buffer.concat(parts));
  });
  return promise;
}

function failed(why: string): GraceError {
  return new GraceError('VOICE_PROVIDER', `${ESPEAK} does not speak: ${why}`);
}

/** Whether the program is on the path, without running it. */
export function findEspeak(path: string | undefined): boolean {
  const folders = (path ?? '').split(':').filter((folder) => folder.startsWith('/'));
  return folders.some((folder) => {
    try {
      accessSync(`${folder}/${ESPEAK}`, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
