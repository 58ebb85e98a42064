import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { admitFolder, isInside, readFileIn } from './file.ts';

/** Node has no call for it. */
const MAKE_PIPE = 'mkfifo';

describe('reading a file', () => {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'grace-files-')));
  const inside = join(home, 'inside');
  const outside = join(home, 'outside');
  mkdirSync(inside);
  mkdirSync(outside);
  after(() => rmSync(home, { recursive: true, force: true }));
  const limits = { maxFileBytes: 1000, roots: [] };
  const write = (folder: string, name: string, content: string | Buffer): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const refused = (path: string, code: string, options: { folder?: string; roots?: string[] } = {}): Promise<void> =>
    assert.rejects(
      readFileIn(path, { ...limits, roots: options.roots ?? [] }, options.folder),
      (error: { code?: string }) => error.code === code,
      `${path} -> ${code}`,
    );

  test('gives its text, without a byte order mark, wrong UTF-8 replaced', async () => {
    const path = write(inside, 'a.txt', Buffer.concat([Buffer.from('\ufeffhello '), Buffer.from([0xff])]));
    assert.deepEqual(await readFileIn(path, limits), { path, text: 'hello \ufffd' });
  });
  test('a link is followed inside its folder, and refused when it leads out', async () => {
    const target = write(inside, 'target.txt', 'here');
    symlinkSync(target, join(inside, 'near'));
    assert.equal((await readFileIn(join(inside, 'near'), limits)).path, target);
    symlinkSync(write(outside, 'secret.txt', 'secret'), join(inside, 'far'));
    await refused(join(inside, 'far'), 'FORBIDDEN');
    symlinkSync(outside, join(inside, 'door'));
    await refused(join(inside, 'door', 'secret.txt'), 'FORBIDDEN', { folder: inside });
    await refused(join(inside, '..', 'outside', 'secret.txt'), 'FORBIDDEN', { folder: inside });
    symlinkSync('circle', join(inside, 'circle'));
    await refused(join(inside, 'circle'), 'FORBIDDEN');
  });
  test('a place outside the roots is refused', async () => {
    const path = write(outside, 'b.txt', 'b');
    await refused(path, 'FORBIDDEN', { roots: [inside] });
    assert.equal((await readFileIn(path, { ...limits, roots: [inside, outside] })).text, 'b');
  });
  test('what is no readable text file is refused with its reason', async () => {
    await refused('relative.txt', 'BAD_INPUT');
    await refused(join(inside, 'missing.txt'), 'NOT_FOUND');
    await refused(inside, 'BAD_INPUT');
    await refused('/dev/zero', 'BAD_INPUT');
    await refused(join(inside, 'x'.repeat(300)), 'BAD_INPUT');
    await refused(write(inside, 'large.txt', 'x'.repeat(1001)), 'TOO_LARGE');
    await refused(write(inside, 'image.bin', Buffer.from([1, 2, 0, 3])), 'UNSUPPORTED_TYPE');
    await refused(write(inside, 'paper.pdf', 'any'), 'UNSUPPORTED_TYPE');
    await refused(write(inside, 'paper.txt', '%PDF-1.7'), 'UNSUPPORTED_TYPE');
  });
  test('a file of several reads is whole, and the bound holds also for one that says it is empty', async () => {
    const text = 'äöü '.repeat(50_000);
    const path = write(inside, 'long.txt', text);
    assert.equal((await readFileIn(path, { ...limits, maxFileBytes: 1e6 })).text, text);
    if (process.platform === 'linux') {
      await refused('/proc/self/smaps', 'TOO_LARGE');
      const { text: mounts } = await readFileIn('/proc/self/mountinfo', { ...limits, maxFileBytes: 1e6 });
      assert.ok(mounts.endsWith('\n') && mounts.length > 0);
    }
  });
  test('a file far over the bound is refused by its size, unread', async () => {
    const path = write(inside, 'sparse.txt', '');
    truncateSync(path, 8 * 1024 ** 4);
    await assert.rejects(readFileIn(path, limits), { code: 'TOO_LARGE', message: /8796093022208 bytes/ });
  });
  test('a pipe is refused at once, not waited for', async () => {
    const path = join(inside, 'pipe');
    execFileSync(MAKE_PIPE, [path]);
    await refused(path, 'BAD_INPUT');
  });
  test('a file that this user may not read is refused', {
    skip: process.getuid?.() === 0 && 'root may read all',
  }, async () => {
    const path = write(inside, 'closed.txt', 'closed');
    chmodSync(path, 0);
    await refused(path, 'FORBIDDEN');
  });
  test('a folder is admitted by its real path; files and missing ones are not folders', async () => {
    symlinkSync(inside, join(home, 'alias'));
    assert.equal(await admitFolder(join(home, 'alias'), limits), inside);
    const path = write(inside, 'c.txt', 'c');
    await assert.rejects(admitFolder(path, limits), { code: 'BAD_INPUT' });
    await assert.rejects(admitFolder(join(home, 'none'), limits), { code: 'NOT_FOUND' });
    await assert.rejects(admitFolder(inside, { ...limits, roots: [outside] }), { code: 'FORBIDDEN' });
  });
  test('a sibling whose name begins alike is not inside', () => {
    assert.equal(isInside('/a/b', '/a/bc'), false);
    assert.equal(isInside('/a/b', '/a/b/..c'), true);
    assert.equal(isInside('/a/b', '/a'), false);
  });
});
