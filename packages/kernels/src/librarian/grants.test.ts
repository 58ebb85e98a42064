import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseAcl } from '@grace/contracts/config';
import { rigKernels } from '@grace/testkit';
import memoryFusion from '../memory_fusion/kernel.ts';
import librarian from './kernel.ts';

test('with the rules of this system librarian and memory_fusion do their work, and may do nothing else', async () => {
  const file = new URL('../../../../configs/acl.yaml', import.meta.url);
  const rig = await rigKernels([memoryFusion, librarian], {
    acl: parseAcl(readFileSync(file, 'utf8'), 'configs/acl.yaml'),
  });
  try {
    await rig.probe('librarian');
    await rig.call('librarian', 'ingest', { name: 'a.md', text: '# A\n\nThe bell rings twice.' });
    await rig.call('librarian', 'ingest', { name: 'a.md', text: '# A\n\nThe bell rings once.' });
    const denied: [principal: string, subject: string][] = [
      ['librarian', 'kernel.memory_fusion.call.link'],
      ['librarian', 'kernel.secret_manager.call.get'],
      ['librarian', 'task.librarian.read'],
      ['memory_fusion', 'kernel.librarian.call.ingest'],
      ['memory_fusion', 'kernel.secret_manager.call.set'],
    ];
    for (const [principal, subject] of denied)
      await assert.rejects(rig.bus(principal).publish(subject, {}), { code: 'BUS_DENIED' }, `${principal} ${subject}`);
    await assert.rejects(
      rig.bus('librarian').subscribe('task.librarian.>', () => {}),
      { code: 'BUS_DENIED' },
    );
    // Nobody is there, but it may ask.
    await assert.rejects(rig.bus('memory_fusion').request('kernel.secret_manager.call.get', {}, { deadlineMs: 5000 }), {
      code: 'BUS_NO_RESPONDERS',
    });
  } finally {
    await rig.close();
  }
});
