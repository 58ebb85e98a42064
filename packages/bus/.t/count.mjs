import { MessageChannel, MessagePort } from 'node:worker_threads';
import { createBroker } from '@grace/bus/broker';
import { createBusClient } from '@grace/bus/client';

const all = { publish: { allow: ['>'], deny: [] }, subscribe: { allow: ['>'], deny: [] } };
const b = createBroker({
  acl: { kernels: all, principals: {} },
  mute: { enabled: true, threshold: 200, windowMs: 1000, periodMs: 200, periodMaxMs: 6000 },
  maxPayloadBytes: 1e6,
});
const mk = (p) => {
  const c = createBusClient();
  const ch = new MessageChannel();
  b.attach(ch.port1, { principal: p, incarnation: 1, messagesPerSecond: 1e9, kernel: true });
  c.attach(ch.port2);
  return c;
};
const A = mk('a'),
  B = mk('b');
await B.subscribe('x.y', (m) => m.reply(m.payload));
for (let i = 0; i < 20000; i++) await A.request('x.y', { t: 'a', i });
let posts = 0;
const o = MessagePort.prototype.postMessage;
MessagePort.prototype.postMessage = function (m) {
  posts++;
  if (log) console.log(JSON.stringify(m));
  return o.call(this, m);
};
let log = true;
await A.request('x.y', { t: 'a', i: 1 });
log = false;
let im = 0;
const si = globalThis.setImmediate;
globalThis.setImmediate = (...a) => {
  im++;
  return si(...a);
};
posts = 0;
const n = 60000;
const u0 = process.cpuUsage();
const t = performance.now();
for (let i = 0; i < n; i++) await A.request('x.y', { t: 'a', i });
const u = process.cpuUsage(u0);
console.log(
  'posts',
  posts / n,
  'imm',
  im / n,
  'cpu',
  (u.user + u.system) / n,
  'user',
  u.user / n,
  'wall',
  ((performance.now() - t) * 1e3) / n,
);
await A.close();
await B.close();
await b.close();
