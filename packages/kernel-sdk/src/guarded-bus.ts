import type { BusClient } from '@grace/bus/client';
import type { Redactor } from '@grace/contracts';

const VAULT_CALLS = 'kernel.secret_manager.call.';

/**
 * Makes a thread's bus client careful, in place. What passes between this thread and secret_manager is known to the redactor from then on,
 * before the kernel itself sees it. Nothing else that leaves this thread holds a known value: what is published goes to whoever listens, and
 * on durable subjects to the disk; a kernel that is asked keeps what it is given, and has not been told that it is a secret. One that needs
 * the value asks the vault for it, with a grant and a lease of its own.
 */
export function guardBus(bus: BusClient, redactor: Redactor): void {
  const publish = bus.publish.bind(bus);
  const request = bus.request.bind(bus);
  const without = (payload: unknown): unknown => withoutKnown(payload, redactor);
  bus.publish = (subject, payload, options) => publish(subject, without(payload), options);
  const requestOfVault: BusClient['request'] = async (subject, payload, options) => {
    knowFields(payload, redactor);
    const answer = await request(subject, payload, options);
    knowFields(answer, redactor);
    return answer;
  };
  bus.request = (subject, payload, options) =>
    String(subject).startsWith(VAULT_CALLS)
      ? requestOfVault(subject, payload, options)
      : request(subject, without(payload), options);
}

/** The same with known values left out. */
export function withoutKnown<T>(said: T, redactor: Redactor): T {
  return redactor.known === 0 ? said : redactor.value(said, false);
}

function knowFields(said: unknown, redactor: Redactor): void {
  if (said === null || typeof said !== 'object') return;
  const { value, passphrase } = said as { value?: unknown; passphrase?: unknown };
  for (const one of [value, passphrase]) if (typeof one === 'string') redactor.know(one);
}
