import { MessageChannel } from 'node:worker_threads';
import { createBroker } from '@grace/bus/broker';
import { createBusClient } from '@grace/bus/client';
import { signBusToken } from '@grace/control';

const all = { publish: { allow: ['>'], deny: [] }, subscribe: { allow: ['>'], deny: [] } };
const b = createBroker({
  acl: {
    kernels: all,
    principals: { bad: { publish: { allow: ['ok.>'], deny: [] }, subscribe: { allow: [], deny: [] } } },
  },
  mute: { enabled: true, threshold: 200, windowMs: 1000, periodMs: 200, periodMaxMs: 6000 },
  maxPayloadBytes: 1e6,
  onEvent: (e) => console.log(e),
});
const key = Buffer.from('k'.repeat(32));
await b.listen('/tmp/bt/b.sock', key);
const mk = (p, kernel = true) => {
  const c = createBusClient();
  const ch = new MessageChannel();
  b.attach(ch.port1, { principal: p, incarnation: 1, messagesPerSecond: 1e6, kernel });
  c.attach(ch.port2);
  return c;
};
const dl = (p, kernel = true) => {
  const c = createBusClient();
  c.dial('/tmp/bt/b.sock', signBusToken({ principal: p, incarnation: 1, messagesPerSecond: 1e6, kernel }, key));
  return c;
};
const A = mk('a'),
  B = mk('b'),
  C = dl('c'),
  bad = mk('bad', false);
await B.subscribe('kernel.b.call.*', (m) => {
  m.reply({ got: m.payload, from: m.from });
});
await C.subscribe('kernel.c.call.*', (m) => {
  m.reply({ got: m.payload, from: m.from });
});
console.log(await A.request('kernel.b.call.x', { d: new Date(), m: new Map([[1, 2n]]) }));
console.log(await A.request('kernel.c.call.x', { d: new Date(), m: new Uint8Array(3), e: new Error('x') }));
console.log(await C.request('kernel.b.call.x', 5));
console.log(await A.publish('nobody.here', 1));
await A.request('nobody.here', 1).catch((e) => console.log(e.code, e.message));
console.log(
  (await Promise.allSettled(Array.from({ length: 1000 }, (_, i) => bad.publish('system.control', i)))).reduce(
    (a, r) => {
      a[r.reason.code] = (a[r.reason.code] ?? 0) + 1;
      return a;
    },
    {},
  ),
);
await bad.subscribe('x.y', () => {}).catch((e) => console.log(e.code, e.message));
const { families, ...t } = b.statistics();
console.log(t, families);
await Promise.all([A, B, C, bad].map((c) => c.close()));
await b.close();
