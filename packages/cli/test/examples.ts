import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cli } from './command.ts';

/** One command of a page, as it stands there. */
export interface Example {
  text: string;
  /** The code it is refused with, where the page says so: `# refused: NOT_FOUND`. */
  refused: string | null;
  /** What its answer contains, where the page says so: `# answers: 7`. */
  answers: string | null;
}

export interface Ended extends Example {
  code: number;
  stdout: string;
  stderr: string;
}

/** The commands of the page's shell blocks that call verbs; one that ends in a backslash goes on in the next line. */
export function examplesOf(page: string): Example[] {
  const blocks = [...readFileSync(page, 'utf8').matchAll(/^```(?:ba)?sh\n([\s\S]*?)^```/gm)].map(([, block]) => block!);
  return blocks
    .filter((block) => block.includes('grace call '))
    .flatMap((block) => block.replaceAll('\\\n', ' ').split('\n'))
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((text) => ({
      text,
      refused: text.match(/# refused: ([A-Z_]+)$/)?.[1] ?? null,
      answers: text.match(/# answers: (.+)$/)?.[1] ?? null,
    }));
}

/** The verbs that the commands ask of a kernel. */
export function verbsAsked(examples: readonly Example[], kernel: string): Set<string> {
  const asked = new RegExp(`\\bgrace call(?: --\\S+ \\S+)* ${kernel} (\\w+)`, 'g');
  return new Set(examples.flatMap(({ text }) => [...text.matchAll(asked)].map(([, verb]) => verb!)));
}

const DEADLINE_MS = 120_000;

/**
 * Runs the commands one after the other in one bash, so that what one of them sets is there for the next, as at a prompt.
 * @param folder where it runs; `home` is the home of the system that `grace` speaks with
 */
export async function runExamples(examples: readonly Example[], folder: string, home: string): Promise<Ended[]> {
  const results = join(folder, '.results');
  await mkdir(results, { recursive: true });
  const script = [
    `grace() { '${process.execPath}' '${cli}' --home '${home}' "$@"; }`,
    ...examples.map(
      ({ text }, at) =>
        `{ ${text}\n} >'${results}/${at}.out' 2>'${results}/${at}.err'; echo $? >'${results}/${at}.code'`,
    ),
  ];
  await writeFile(join(results, 'page.sh'), `${script.join('\n')}\n`);
  await promisify(execFile)('bash', [join(results, 'page.sh')], { cwd: folder, timeout: DEADLINE_MS });
  return Promise.all(
    examples.map(async (example, at) => {
      const read = (kind: string) => readFile(join(results, `${at}.${kind}`), 'utf8');
      const [code, stdout, stderr] = await Promise.all([read('code'), read('out'), read('err')]);
      return { ...example, code: Number(code), stdout, stderr };
    }),
  );
}
