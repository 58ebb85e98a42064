import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { poll } from '@grace/testkit';
import { noServiceManager, openNotifySocket } from '../../test/notify-socket.ts';
import { notifyProgram } from './notify-program.ts';

const path = process.env['PATH'];

describe('a message to the service manager', { skip: noServiceManager }, () => {
  for (const abstract of [false, true]) {
    test(`reaches a socket ${abstract ? 'of an abstract name' : 'in the file system'}, whole and with its sender`, async () => {
      const socket = await openNotifySocket({ abstract });
      try {
        await notifyProgram(socket.address, path)(['READY=1', 'STATUS=2 of 2 kernels ready; a=b'], 10_000);
        // The program has ended only after the manager had taken the message, so it is there already.
        await poll('it is read', () => socket.messages.length === 1);
        assert.deepEqual(socket.messages[0]!.values, { READY: '1', STATUS: '2 of 2 kernels ready; a=b' });
        assert.ok(socket.messages[0]!.pid > 0);
      } finally {
        await socket.close();
      }
    });
  }

  test('to a socket that nobody reads fails with the reason', async () => {
    await assert.rejects(notifyProgram('/nonexistent/notify', path)(['READY=1'], 10_000), /systemd-notify: .*notify/i);
  });

  test('to a manager that takes it and does not go on is given up at the deadline', async () => {
    const socket = await openNotifySocket({ holdBarriers: true });
    try {
      await assert.rejects(notifyProgram(socket.address, path)(['WATCHDOG=1'], 2000), /did not end within 2000 ms/);
      await poll('it was taken all the same', () => socket.messages.length === 1);
      assert.deepEqual(socket.messages[0]!.values, { WATCHDOG: '1' });
    } finally {
      await socket.close();
    }
  });
});

test('without the program on this host the failure says so', async () => {
  const failure = await notifyProgram('/tmp/x', '/nonexistent')(['READY=1'], 10_000).catch((error: Error) => error);
  assert.ok(failure instanceof Error);
  assert.equal((failure.cause as NodeJS.ErrnoException).code, 'ENOENT');
});
