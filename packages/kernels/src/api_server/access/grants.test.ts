import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { GraceError } from '@grace/contracts';
import { parseAcl } from '@grace/contracts/config';
import { rigKernels } from '@grace/testkit';
import kernel from '../kernel.ts';

const ACL = fileURLToPath(new URL('../../../../../configs/acl.yaml', import.meta.url));

test('what is not granted in configs/acl.yaml is denied', async () => {
  const rig = await rigKernels([kernel], { acl: parseAcl(readFileSync(ACL, 'utf8'), 'acl.yaml') });
  try {
    const bus = rig.bus('api_server');
    const denied = (error: GraceError): boolean => error.code === 'BUS_DENIED';
    for (const subject of [
      ...['kernel.scheduler.call.add', 'kernel.governance.call.approve', 'kernel.message_bus.call.mute'],
      ...['kernel.secret_manager.call.get', 'system.events.kernel.state', 'audit.governance', 'task.x', 'trigger.x'],
    ])
      await assert.rejects(bus.publish(subject, {}), denied, subject);
    for (const pattern of ['>', 'task.>', 'audit.>', 'kernel.*.call.*', 'incident.>'])
      await assert.rejects(
        bus.subscribe(pattern, () => {}),
        denied,
        pattern,
      );
    await bus.publish('audit.api_server', { actor: 'x', action: 'x', resource: 'x', outcome: 'x' });
    await bus.subscribe('system.events.>', () => {});
  } finally {
    await rig.close();
  }
});
