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
import { poll } from '@grace/testkit';
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
  const limits = { maxFileBytes: 1000, maxPdfBytes: 2000, roots: [] };
  const textOf = async (path: string, given = limits): Promise<string> => {
    const { content } = await readFileIn(path, given);
    return 'text' in content ? content.text : 'a pdf';
  };
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
    assert.equal((await readFileIn(path, limits)).path, path);
    assert.equal(await textOf(path), 'hello \ufffd');
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
    assert.equal((await readFileIn(path, { ...limits, roots: [inside, outside] })).path, path);
  });
  test('what is no readable text file is refused with its reason', async () => {
    await refused('relative.txt', 'BAD_INPUT');
    await refused(join(inside, 'missing.txt'), 'NOT_FOUND');
    await refused(inside, 'BAD_INPUT');
    await refused('/dev/zero', 'BAD_INPUT');
    await refused(join(inside, 'x'.repeat(300)), 'BAD_INPUT');
    await refused(write(inside, 'large.txt', 'x'.repeat(1001)), 'TOO_LARGE');
    await refused(write(inside, 'image.bin', Buffer.from([1, 2, 0, 3])), 'UNSUPPORTED_TYPE');
  });
  test('a file of several reads is whole, and the bound holds also for one that says it is empty', async () => {
    const text = 'äöü '.repeat(50_000);
    const path = write(inside, 'long.txt', text);
    assert.equal(await textOf(path, { ...limits, maxFileBytes: 1e6 }), text);
    if (process.platform === 'linux') {
      await refused('/proc/self/smaps', 'TOO_LARGE');
      const mounts = await textOf('/proc/self/mountinfo', { ...limits, maxFileBytes: 1e6 });
      assert.ok(mounts.endsWith('\n') && mounts.length > 0);
    }
  });
  test('a pdf is known by its first bytes, whatever its name, and may be larger than text', async () => {
    const path = write(inside, 'paper.txt', `%PDF-1.7${' '.repeat(1500)}`);
    assert.equal(await textOf(path), 'a pdf');
    await refused(write(inside, 'large.pdf', `%PDF-1.7${' '.repeat(2500)}`), 'TOO_LARGE');
    await refused(write(inside, 'large.txt', `${' '.repeat(1500)}%PDF-1.7`), 'TOO_LARGE');
  });
  test('UTF-16 is read behind its byte order mark, and bytes that are no text are refused', async () => {
    const little = Buffer.from('\ufeffGrüße, Kernel', 'utf16le');
    assert.equal(await textOf(write(inside, 'little.txt', little)), 'Grüße, Kernel');
    assert.equal(await textOf(write(inside, 'big.txt', Buffer.from(little).swap16())), 'Grüße, Kernel');
    await refused(
      write(inside, 'noise.txt', Buffer.from(Array.from({ length: 600 }, (_, i) => 128 + (i % 100)))),
      'UNSUPPORTED_TYPE',
    );
    assert.equal(await textOf(write(inside, 'empty.txt', '')), '');
    // A few wrong bytes in a long text are a slip of its writer.
    const latin = Buffer.from(`${'plain words '.repeat(20)}\xe4\xf6\xfc`, 'latin1');
    assert.match(await textOf(write(inside, 'latin.txt', latin)), /plain words \ufffd/);
  });
  test('a file has a stamp that another content or another file does not have; one changed just now has none', async () => {
    const path = write(inside, 'stamped.txt', 'one');
    assert.equal((await readFileIn(path, limits)).stamp, '');
    await poll('the clock to move on', async () => (await readFileIn(path, limits)).stamp !== '');
    const { stamp } = await readFileIn(path, limits);
    assert.equal((await readFileIn(path, limits)).stamp, stamp);
    writeFileSync(path, 'two');
    assert.notEqual((await readFileIn(path, limits)).stamp, stamp);
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
