let u0;
const cpu = (w, n) => {
  const u = process.cpuUsage(u0);
  console.log('cpu us per', w, ((u.user + u.system) / n).toFixed(2));
};

import { isMainThread, MessageChannel, parentPort, Worker, workerData } from 'node:worker_threads';
import { createBroker } from '@grace/bus/broker';
import { createBusClient } from '@grace/bus/client';
import { signBusToken } from '@grace/control';

const all = { publish: { allow: ['>'], deny: [] }, subscribe: { allow: ['>'], deny: [] } };
const key = Buffer.from('k'.repeat(32));
const path = '/tmp/bt/bench.sock';
const id = (p) => ({ principal: p, incarnation: 1, messagesPerSecond: 1e9, kernel: true });
if (!isMainThread) {
  if (workerData.role === 'hub') {
    const b = createBroker({
      acl: { kernels: all, principals: {} },
      mute: { enabled: true, threshold: 200, windowMs: 1000, periodMs: 200, periodMaxMs: 6000 },
      maxPayloadBytes: 1e6,
    });
    await b.listen(path, key);
    parentPort.on('message', (m) => {
      if (m.port) b.attach(m.port, id(m.principal));
      if (m.stat) parentPort.postMessage(b.statistics());
      parentPort.postMessage('ok');
    });
    parentPort.postMessage('up');
  } else {
    const c = createBusClient();
    parentPort.once('message', async (m) => {
      m.port ? c.attach(m.port) : c.dial(path, signBusToken(id('b'), key));
      await c.subscribe('kernel.b.call.*', (x) => x.reply(x.payload));
      let n = 0;
      await c.subscribe('kernel.b.sink', (x) => {
        n++;
      });
      await c.subscribe('kernel.b.echo', (x) => {
        return c.publish('kernel.a.echo', x.payload).then(() => {});
      });
      parentPort.postMessage('ok');
    });
  }
} else {
  const once = (w) => new Promise((r) => w.once('message', r));
  const hub = new Worker(new URL(import.meta.url), { workerData: { role: 'hub' } });
  await once(hub);
  for (const kind of process.argv[2] ? [process.argv[2]] : ['port', 'socket']) {
    const w = new Worker(new URL(import.meta.url), { workerData: { role: 'b' } });
    const A = createBusClient({ outboxLimit: 1e6 });
    if (kind === 'port') {
      const c1 = new MessageChannel(),
        c2 = new MessageChannel();
      hub.postMessage({ port: c1.port1, principal: 'b' }, [c1.port1]);
      await once(hub);
      w.postMessage({ port: c1.port2 }, [c1.port2]);
      hub.postMessage({ port: c2.port1, principal: 'a' }, [c2.port1]);
      await once(hub);
      A.attach(c2.port2);
    } else {
      w.postMessage({});
      A.dial(path, signBusToken(id('a'), key));
    }
    await once(w);
    let got = 0,
      done;
    await A.subscribe('kernel.a.echo', () => {
      if (++got === done?.n) done.r();
    });
    const rounds = process.argv[3] ? +process.argv[3] : 3;
    for (let k = 0; k < rounds; k++) {
      let n = 15000,
        t = performance.now();
      u0 = process.cpuUsage();
      for (let i = 0; i < n; i++) await A.request('kernel.b.call.x', { t: 'a.b', i });
      cpu('rtt', n);
      console.log(kind, 'rtt us', (((performance.now() - t) * 1000) / n).toFixed(1));
      n = 200000;
      t = performance.now();
      u0 = process.cpuUsage();
      const p = [];
      const WIN = 2048;
      {
        let out = 0,
          i = 0;
        await new Promise((res, rej) => {
          const go = () => {
            while (out < WIN && i < n) {
              out++;
              i++;
              A.publish('kernel.b.sink', { t: 'a.b', i }).then(() => {
                out--;
                if (i >= n) {
                  if (out === 0) res();
                } else if (out < WIN / 2) go();
              }, rej);
            }
          };
          go();
        });
      }
      cpu('publish', n);
      console.log(kind, 'publish accepted msg/s', (n / ((performance.now() - t) / 1000)).toFixed(0));
      n = 100000;
      got = 0;
      t = performance.now();
      u0 = process.cpuUsage();
      const d = new Promise((r) => {
        done = { n, r };
      });
      {
        let i = 0,
          out = 0;
        const go = () => {
          while (out < WIN && i < n) {
            out++;
            i++;
            A.publish('kernel.b.echo', { t: 'a.b', i }).then(() => {
              out--;
              if (out < WIN / 2) go();
            });
          }
        };
        go();
      }
      await d;
      cpu('echo', n);
      console.log(kind, 'echo msg/s', (n / ((performance.now() - t) / 1000)).toFixed(0));
    }
    await A.close();
    await w.terminate();
  }
  hub.terminate();
}
