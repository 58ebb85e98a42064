import assert from 'node:assert/strict';
import { test } from 'node:test';
import { standIn } from '../../test/control-stand-in.ts';
import { awaitFreeMachine } from './free-machine.ts';

test('a machine that is held for full is not filled once more', async () => {
  const system = await standIn({
    incidents: () => [
      {
        id: 'i1',
        kind: 'cpu_saturation',
        subject: 'machine',
        title: '',
        severity: 'moderate',
        openedMono: 1,
        openedWall: 1,
        escalated: false,
        detectors: [],
        events: [],
      },
    ],
  });
  try {
    await assert.rejects(awaitFreeMachine(system.client, new AbortController().signal, 100), { code: 'CONFLICT' });
  } finally {
    await system.close();
  }
});
