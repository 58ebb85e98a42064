import type { MessagePort } from 'node:worker_threads';
import { toWireError, type VerbAnswer, type VerbEndpoint } from '@grace/contracts';
import * as Comlink from 'comlink';
import type { HostedKernel } from '../host.ts';

/** Thread side of the verb lane. Its host twin is supervisor/src/cell/verb-caller.ts, where deadlines live. */
export function serveVerbs(port: MessagePort, kernel: HostedKernel): void {
  const answer = async (work: () => Promise<unknown>): Promise<VerbAnswer> => {
    try {
      return { ok: true, value: await work() };
    } catch (error) {
      return { ok: false, error: toWireError(error) };
    }
  };
  const endpoint: VerbEndpoint = {
    probe: () => answer(() => kernel.probe()),
    invoke: (verb, input, meta) => answer(() => kernel.invoke(verb, input, meta)),
  };
  Comlink.expose(endpoint, {
    // A value that cannot be cloned must not leave the caller waiting.
    postMessage: (message, transfer) => {
      try {
        port.postMessage(message, transfer as never);
      } catch (error) {
        const said = message.value as VerbAnswer | undefined;
        const why = error instanceof Error ? error.message : String(error);
        const value: VerbAnswer = {
          ok: false,
          error:
            said?.ok === false
              ? { code: said.error.code, message: said.error.message }
              : { code: 'INTERNAL', message: `the answer cannot leave the thread: ${why}` },
        };
        port.postMessage({ ...message, value });
      }
    },
    addEventListener: (_type, listener) => {
      port.on('message', (data: unknown) => (listener as (event: { data: unknown }) => void)({ data }));
    },
    removeEventListener: () => {},
  });
}
