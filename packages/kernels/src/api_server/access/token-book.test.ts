import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createStore } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import { TOKEN_TABLE, TokenBook } from './token-book.ts';

const ADDS = fileURLToPath(new URL('../fixtures/adds-for-ever.ts', import.meta.url));

async function withFolder(work: (dir: string) => Promise<void> | void): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'grace-tokens-'));
  try {
    await work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function open(dir: string, nowMs: () => number = () => 1000, max = 100) {
  const store = createStore(dir);
  store.migrate([TOKEN_TABLE]);
  return { book: new TokenBook(store, nowMs, max), close: () => store.close() };
}

const wish = { principal: 'alice', role: 'operator', verbs: null, expiresMs: null, by: 'cli' } as const;

describe('the token book', () => {
  test('knows a token over restarts, and no file holds what would let somebody use it', async () => {
    await withFolder((dir) => {
      const first = open(dir);
      const { token, id } = first.book.add(wish);
      first.close();
      const secret = token.slice('grace_00000000_'.length);
      assert.equal(Buffer.from(secret, 'base64url').length, 32);
      for (const file of readdirSync(dir)) {
        const bytes = readFileSync(join(dir, file));
        assert.ok(!bytes.includes(secret) && !bytes.includes(Buffer.from(secret, 'base64url')), file);
      }
      const second = open(dir);
      assert.deepEqual(second.book.find(token), { id, principal: 'alice', role: 'operator', verbs: null });
      assert.ok(!JSON.stringify(second.book.list()).includes('hash'));
      second.close();
    });
  });

  test('knows nothing but the whole token', async () => {
    await withFolder((dir) => {
      const { book, close } = open(dir);
      const { token, id } = book.add(wish);
      const other = book.add(wish).token;
      const wrong = [
        '',
        'grace_',
        token.slice(0, -1),
        `${token}A`,
        token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A'),
        `grace_${id}_${other.slice(15)}`,
        `grace_ffffffff_${token.slice(15)}`,
        token.toUpperCase(),
        ` ${token}`,
        `grace_${id}_${'A'.repeat(43)}`,
      ];
      for (const one of wrong) assert.equal(book.find(one), null, one);
      close();
    });
  });

  test('forgets a token that is revoked or over, at once and after a restart', async () => {
    await withFolder((dir) => {
      let nowMs = 1000;
      const first = open(dir, () => nowMs);
      const short = first.book.add({ ...wish, expiresMs: 2000 });
      const revoked = first.book.add(wish);
      first.book.revoke(revoked.id);
      assert.equal(first.book.find(revoked.token), null);
      assert.ok(first.book.find(short.token) && first.book.isValid(short.id));
      nowMs = 2000;
      assert.ok(!first.book.find(short.token) && !first.book.isValid(short.id));
      first.close();
      const second = open(dir, () => nowMs);
      assert.equal(second.book.find(revoked.token), null);
      assert.equal(second.book.find(short.token), null);
      second.close();
    });
  });

  test('has no more tokens than it may, and what is over makes room', async () => {
    await withFolder((dir) => {
      let nowMs = 1000;
      const { book, close } = open(dir, () => nowMs, 2);
      book.add(wish);
      book.add({ ...wish, expiresMs: 2000 });
      assert.throws(() => book.add(wish), { code: 'CONFLICT' });
      nowMs = 3000;
      book.add(wish);
      assert.equal(book.count, 2);
      close();
    });
  });

  test('keeps every token it acknowledged, and every revocation, when it is killed while it writes', async () => {
    await withFolder(async (dir) => {
      const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ADDS, dir], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let said = '';
      child.stdout.on('data', (part: Buffer) => {
        said += part;
      });
      const ended = new Promise((resolve) => child.once('close', resolve));
      try {
        await poll('some tokens', () => said.split('\n').length > 40, { deadlineMs: 60_000, everyMs: 1 });
      } finally {
        child.kill('SIGKILL');
        await ended;
      }
      const { book, close } = open(dir, Date.now, 10_000);
      const lines = said.split('\n').slice(0, -1);
      for (const line of lines) assert.equal(book.find(line.slice(2)) !== null, line.startsWith('+'), line);
      // At most the one that was under way is there beside them.
      const kept = lines.filter((line) => line.startsWith('+')).length;
      assert.ok(book.count === kept || book.count === kept + 1, `${book.count} tokens, ${kept} told`);
      close();
    });
  });
});
