import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createIntake } from './intake.ts';
import type { Remembered } from './memories.ts';

function memory(text: string): Remembered {
  const given = { kind: false, trust: false, tags: false, atMs: false };
  return { id: text, namespace: 'n', kind: 'fact', source: '', text, trust: 0.5, tags: [], atMs: 1, given };
}

describe('the intake', () => {
  test('keeps what comes in one turn in few transactions, each answer with its own memory', async () => {
    const sizes: number[] = [];
    const keep = createIntake(
      {
        remember(batch) {
          sizes.push(batch.length);
          return batch.map(({ id }) => ({ id, known: false }));
        },
      },
      () => {},
    );
    const kept = await Promise.all(Array.from({ length: 300 }, (_, i) => keep(memory(`${i}`))));
    assert.deepEqual(
      kept.map(({ id }) => id),
      Array.from({ length: 300 }, (_, i) => `${i}`),
    );
    assert.deepEqual(sizes, [128, 128, 44]);
  });

  test('refuses what is beyond its bound at once, and keeps the rest', async () => {
    const keep = createIntake({ remember: (batch) => batch.map(({ id }) => ({ id, known: false })) }, () => {});
    const waiting = Array.from({ length: 4096 }, (_, i) => keep(memory(`${i}`)));
    assert.throws(() => keep(memory('one more')), { code: 'CONFLICT' });
    assert.equal((await Promise.all(waiting)).length, 4096);
    assert.equal((await keep(memory('later'))).id, 'later');
  });

  test('a transaction that fails refuses its memories, and the next go on', async () => {
    let broken = true;
    const keep = createIntake(
      {
        remember(batch) {
          if (broken) throw new Error('disk');
          return batch.map(({ id }) => ({ id, known: false }));
        },
      },
      () => {},
    );
    await assert.rejects(keep(memory('a')), /disk/);
    broken = false;
    assert.equal((await keep(memory('a'))).id, 'a');
  });
});
