import type { BusClient } from '@grace/bus/client';
import type { Redactor } from '@grace/contracts';

const VAULT_CALLS = 'kernel.secret_manager.call.';

/**
 * Makes a thread's bus client careful, in place. What passes between this thread and secret_manager is known to the redactor from then on,
 * before the kernel itself sees it. What is published goes to whoever listens, and on durable subjects to the disk, so known values are left
 * out of it. A request is to one kernel, which may need the value for its work: it and its answer pass as they are.
 */
export function guardBus(bus: BusClient, redactor: Redactor): void {
  const publish = bus.publish.bind(bus);
  const request = bus.request.bind(bus);
  bus.publish = (subject, payload, options) =>
    publish(subject, redactor.known === 0 ? payload : redactor.value(payload, false), options);
  const requestOfVault: BusClient['request'] = async (subject, payload, options) => {
    knowFields(payload, redactor);
    const answer = await request(subject, payload, options);
    knowFields(answer, redactor);
    return answer;
  };
  bus.request = (subject, payload, options) =>
    String(subject).startsWith(VAULT_CALLS)
      ? requestOfVault(subject, payload, options)
      : request(subject, payload, options);
}

function knowFields(said: unknown, redactor: Redactor): void {
  if (said === null || typeof said !== 'object') return;
  const { value, passphrase } = said as { value?: unknown; passphrase?: unknown };
  for (const one of [value, passphrase]) if (typeof one === 'string') redactor.know(one);
}
