import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GraceError } from '@grace/contracts';
import { standIn } from '../../test/control-stand-in.ts';
import { createRecorder } from './recorder.ts';

test('records reach the journal in the order in which they were appended, in few requests', async () => {
  const system = await standIn();
  try {
    const recorder = createRecorder(system.client);
    const waves = Array.from({ length: 200 }, (_, wave) => wave);
    await Promise.all(waves.map((wave) => recorder.append({ name: 'wave:end', data: { wave } })));
    assert.deepEqual(
      system.journal.map((draft) => (draft.name === 'wave:end' ? draft.data.wave : null)),
      waves,
    );
    assert.ok(system.asked.length < 10, `${system.asked.length} requests`);
  } finally {
    await system.close();
  }
});

test('a journal that refuses is an error of whoever appended, and the next append is tried again', async () => {
  const system = await standIn();
  const accept = system.answers['journal.append']!;
  system.answers['journal.append'] = () => {
    throw new GraceError('STORAGE_FULL');
  };
  try {
    const recorder = createRecorder(system.client);
    await assert.rejects(recorder.append({ name: 'wave:end', data: { wave: 1 } }), { code: 'STORAGE_FULL' });
    system.answers['journal.append'] = accept;
    assert.equal(await recorder.append({ name: 'wave:end', data: { wave: 2 } }), 1);
  } finally {
    await system.close();
  }
});
