import { constants } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { didYouMean, GraceError } from '@grace/contracts';
import type { Settings } from '../settings.ts';
import { object, Reply, type Route } from './route.ts';

const RUNS_MAX = 500;
const FILES_MAX = 5000;
/** One part of a path: no leading dot, no separator, nothing a file system reads as anything but a name. */
const PART = /^[A-Za-z0-9_][A-Za-z0-9_.@+=,-]{0,200}$/;
const TYPES: Readonly<Record<string, string>> = {
  '.md': 'text/markdown; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.ndjson': 'application/x-ndjson; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.html': 'text/html; charset=utf-8',
  '.xml': 'application/xml; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
  '.log': 'text/plain; charset=utf-8',
};
/** Pages and drawings of a report need their own styles; scripts run in none. */
const REPORT_POLICY =
  "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/** Reports of the laboratory, as they lie in their folders. Nothing is ever written here. */
export function reportRoutes({ reports: folders }: Pick<Settings, 'reports'>): Route[] {
  const bare = { tag: 'reports', role: 'viewer', method: 'GET' } as const;
  const run = { type: 'string', pattern: PART.source, description: 'Name of the folder of a run' } as const;
  return [
    {
      ...bare,
      path: '/api/v1/reports',
      id: 'listReports',
      summary: 'Runs of the laboratory that have a report, the newest first',
      answers: {
        200: {
          description: `At most ${RUNS_MAX}.`,
          schema: object({ reports: { type: 'array', items: { type: 'string' } } }, ['reports']),
        },
      },
      handle: async () => ({ reports: (await runs(folders)).map(({ name }) => name).slice(0, RUNS_MAX) }),
    },
    {
      ...bare,
      path: '/api/v1/reports/:run',
      id: 'listReportFiles',
      summary: 'The files of a report',
      params: object({ run }, ['run']),
      answers: {
        200: {
          description: 'Paths within the report.',
          schema: object({ run: { type: 'string' }, files: { type: 'array', items: { type: 'string' } } }, [
            'run',
            'files',
          ]),
        },
      },
      async handle({ params }) {
        const { path, name } = await findRun(folders, params['run']!);
        return { run: name, files: (await filesOf(path, '')).slice(0, FILES_MAX) };
      },
    },
    {
      ...bare,
      path: '/api/v1/reports/:run/*',
      id: 'getReportFile',
      summary: 'One file of a report',
      params: object({ run, '*': { type: 'string', maxLength: 1000, description: 'Path within the report' } }, [
        'run',
        '*',
      ]),
      answers: { 200: { description: 'The file.', type: 'application/octet-stream', schema: { type: 'string' } } },
      async handle({ params }) {
        const { path } = await findRun(folders, params['run']!);
        return await fileReply(path, params['*']!);
      },
    },
  ];
}

async function runs(folders: readonly string[]): Promise<{ name: string; path: string }[]> {
  const lists = await Promise.all(
    folders.map(async (folder) => {
      const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
      return entries
        .filter((entry) => entry.isDirectory() && PART.test(entry.name))
        .map(({ name }) => ({ name, path: join(folder, name) }));
    }),
  );
  return lists.flat().sort((a, b) => (a.name < b.name ? 1 : -1));
}

async function findRun(folders: readonly string[], name: string): Promise<{ name: string; path: string }> {
  const all = await runs(folders);
  const found = all.find((one) => one.name === name);
  if (found) return found;
  const near = didYouMean(
    name,
    all.map((one) => one.name),
  );
  throw new GraceError('NOT_FOUND', `there is no report "${name}"${near}`);
}

async function filesOf(folder: string, within: string): Promise<string[]> {
  const entries = await readdir(join(folder, within), { withFileTypes: true }).catch(() => []);
  const files: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!PART.test(entry.name) || files.length >= FILES_MAX) continue;
    const path = within === '' ? entry.name : `${within}/${entry.name}`;
    if (entry.isFile()) files.push(path);
    else if (entry.isDirectory()) files.push(...(await filesOf(folder, path)));
  }
  return files;
}

async function fileReply(folder: string, wanted: string): Promise<Reply> {
  const missing = new GraceError('NOT_FOUND', 'the report has no such file');
  if (!wanted.split('/').every((part) => PART.test(part))) throw missing;
  const ground = await realpath(folder);
  const path = await realpath(join(ground, wanted)).catch(() => {
    throw missing;
  });
  // A link that leads out of the report is as good as no file.
  if (!path.startsWith(ground + sep) || !(await stat(path)).isFile()) throw missing;
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const { size } = await file.stat();
  const headers = {
    'content-type': TYPES[extname(path)] ?? 'application/octet-stream',
    'content-length': String(size),
    'content-security-policy': REPORT_POLICY,
  };
  if (size === 0) {
    await file.close();
    return new Reply(200, headers, '');
  }
  // No more than the length that was said, also when the file grows meanwhile.
  return new Reply(200, headers, file.createReadStream({ end: size - 1 }));
}
