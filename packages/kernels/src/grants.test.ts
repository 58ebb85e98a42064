import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { type Broker, createBroker } from '@grace/bus/broker';
import { type BusConnection, createBusClient } from '@grace/bus/client';
import { GraceError } from '@grace/contracts';
import { parseAcl } from '@grace/contracts/config';
import { catalogue } from './catalogue.ts';

const REPOSITORY = join(import.meta.dirname, '../../..');
const ACL = join(REPOSITORY, 'configs/acl.yaml');
const KERNELS = catalogue('/dist').map(({ id }) => id);

/** Kernels that call what their users tell them to, each time after governance was asked; all others call what their code names. */
const EXECUTORS = ['trigger_mesh', 'scheduler', 'verification_framework', 'agentic_spine'];

/** What no kernel may call whatever its users tell it to, but for those named. */
const NEVER: Record<string, string[]> = {
  // The vault itself grants name by name.
  'secret_manager.get': ['memory_fusion'],
  'secret_manager.set': [],
  'secret_manager.rekey': [],
  'secret_manager.grants': [],
  'governance.approve': [],
  'governance.deny': [],
  'governance.permit': [],
  'governance.revoke': [],
  'governance.reload': [],
  'message_bus.mute': ['self_healing'],
  'message_bus.unmute': [],
  'message_bus.permit': [],
  'message_bus.publish': [],
  'message_bus.purge': [],
  'message_bus.forget': [],
  'message_bus.reload': [],
  'immutable_log.append': [],
  'immutable_log.repair': ['self_healing'],
  'coding_agent.apply': [],
  'infrastructure_manager.restore': [],
  'api_server.tokens': [],
};

/** kernel -> its verbs, from the page that has an example of each. */
function verbsOf(kernel: string): string[] {
  const page = readFileSync(join(REPOSITORY, `docs/kernels/${kernel}.md`), 'utf8');
  const asked = page.matchAll(new RegExp(`\\bgrace call(?: --\\S+ \\S+)* ${kernel} (\\w+)`, 'g'));
  return [...new Set([...asked].map(([, verb]) => verb!))];
}

const matches = (pattern: string, subject: string): boolean =>
  new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '[^.]+').replace(/>$/, '.+')}$`).test(subject);

/** Who asks governance in the words of the kernel SDK leaves a request where one is needed, without naming the verb. */
const ASKING = '(?:request|requirePermit|askGovernance)';

describe('what configs/acl.yaml grants to the kernels', () => {
  const acl = parseAcl(readFileSync(ACL, 'utf8'), 'acl.yaml');
  const calls = KERNELS.flatMap((kernel) => verbsOf(kernel).map((verb) => ({ kernel, verb })));
  const clients = new Map<string, BusConnection>();
  let broker: Broker;

  before(() => {
    // Nobody is muted: each refusal is to be the rules' own.
    const mute = { enabled: false, threshold: 1, windowMs: 1000, periodMs: 1000, periodMaxMs: 1000 };
    broker = createBroker({ acl, mute, maxPayloadBytes: 10_000 });
    for (const principal of KERNELS) {
      const { port1, port2 } = new MessageChannel();
      broker.attach(port2, { principal, incarnation: 1, messagesPerSecond: 1e6, kernel: true });
      const client = createBusClient();
      client.attach(port1);
      clients.set(principal, client);
    }
  });
  after(async () => {
    await Promise.all([...clients.values()].map((client) => client.close()));
    await broker.close();
  });

  const isDenied = async (work: Promise<unknown>): Promise<boolean> =>
    work.then(
      () => false,
      (error: unknown) => {
        if (error instanceof GraceError && error.code === 'BUS_DENIED') return true;
        throw error;
      },
    );
  const granted = (principal: string): readonly string[] => acl.principals[principal]?.publish?.allow ?? [];
  const refused = (principal: string): readonly string[] => acl.principals[principal]?.publish?.deny ?? [];
  const isGranted = (principal: string, subject: string): boolean =>
    granted(principal).some((pattern) => matches(pattern, subject)) &&
    !refused(principal).some((pattern) => matches(pattern, subject));

  for (const principal of KERNELS)
    test(`${principal} may call the verbs it is granted, and no other`, async () => {
      const client = clients.get(principal)!;
      for (const { kernel, verb } of calls) {
        const subject = `kernel.${kernel}.call.${verb}`;
        const denied = await isDenied(client.publish(subject, {}, { deadlineMs: 20_000 }));
        assert.equal(denied, !isGranted(principal, subject), subject);
        const exceptions = NEVER[`${kernel}.${verb}`];
        if (exceptions) assert.equal(denied, !exceptions.includes(principal), `${subject}, whoever tells it to`);
      }
    });

  test("nobody says what is the supervisor's or another's to say, and nobody hears everything", async () => {
    for (const [principal, client] of clients) {
      const other = principal === 'librarian' ? 'scheduler' : 'librarian';
      for (const subject of [
        'system.events.kernel.state',
        'system.control.stop',
        `audit.${other}`,
        `kernel.${other}.event.x`,
      ])
        assert.ok(await isDenied(client.publish(subject, {}, { deadlineMs: 20_000 })), `${principal} said ${subject}`);
      for (const pattern of [
        '>',
        'kernel.*.call.*',
        `kernel.${other}.call.>`,
        ...(principal === 'secret_manager' ? [] : ['kernel.secret_manager.>']),
      ])
        assert.ok(
          await isDenied(client.subscribe(pattern, () => {}, { deadlineMs: 20_000 })),
          `${principal} hears ${pattern}`,
        );
    }
  });

  for (const principal of KERNELS.filter((id) => !EXECUTORS.includes(id)))
    test(`${principal} is granted no verb that it never calls`, () => {
      const files = globSync(`${principal}/**/*.{ts,yaml}`, { cwd: import.meta.dirname })
        .filter((file) => !/\.test\.ts$|fixtures\//.test(file))
        .map((file) => join(import.meta.dirname, file));
      if (principal === 'self_healing') files.push(...globSync(join(REPOSITORY, 'configs/playbooks/*.yaml')));
      const text = files.map((file) => readFileSync(file, 'utf8')).join('\n');
      for (const pattern of granted(principal)) {
        const [, kernel, verb] = pattern.match(/^kernel\.([^.]+)\.call\.([^.]+)$/) ?? [];
        if (kernel === undefined || verb === undefined) continue;
        const names = [kernel, `${kernel}.${verb}` === 'governance.request' ? ASKING : verb];
        for (const name of names)
          if (name !== '*') assert.match(text, new RegExp(`\\b${name}\\b`), `${pattern}: its code never names ${name}`);
        assert.ok(
          kernel !== '*' || verb === 'status',
          `${pattern}: only the status of everybody is everybody's to ask`,
        );
      }
    });
});
