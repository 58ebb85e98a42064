import type { BusClient } from '@grace/bus/client';
import type { Redactor } from '@grace/contracts';
import type { LeasedSecret, SecretAccess } from './kernel.ts';

const GET_DEADLINE_MS = 5000;

/** The value becomes known to the redactor on its way in: see guarded-bus.ts. */
export function createSecretAccess(bus: BusClient, redactor: Redactor): SecretAccess {
  return {
    async get(name, { deadlineMs = GET_DEADLINE_MS, ...asked } = {}) {
      return (await bus.request('kernel.secret_manager.call.get', { name, ...asked }, { deadlineMs })) as LeasedSecret;
    },
    know: (value) => redactor.know(value),
  };
}
