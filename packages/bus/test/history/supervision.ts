import type { ClientMethods, KernelStatus, StatusDocument } from '@grace/contracts';
import { connectControl } from '@grace/control';

const DEADLINE_MS = 5000;

/** Asks whoever is the supervisor at this moment, over a connection of its own: the one before may have died. */
export class Supervision {
  readonly home: string;

  constructor(home: string) {
    this.home = home;
  }

  async ask<M extends keyof ClientMethods>(
    method: M,
    params: ClientMethods[M]['params'],
  ): Promise<ClientMethods[M]['result']> {
    const client = await connectControl(this.home, { role: 'runner', name: 'history' });
    try {
      return await client.request(method, params, DEADLINE_MS);
    } finally {
      client.close();
    }
  }

  status(): Promise<StatusDocument> {
    return this.ask('status', {});
  }

  async call<T>(kernel: string, verb: string, input: unknown = {}): Promise<T> {
    return (await this.ask('call', { kernel, verb, input, from: 'history' })) as T;
  }

  async kernel(id: string): Promise<KernelStatus> {
    return (await this.status()).kernels.find((one) => one.id === id)!;
  }
}
