// Floor of the bus between cells: a Unix socket to an echo process, v8 frames, one by one.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';

if (process.argv[2]) {
  createServer((socket) => socket.pipe(socket)).listen(process.argv[2], () => process.send('ready'));
  process.on('disconnect', () => process.exit());
} else {
  const dir = mkdtempSync(join(tmpdir(), 'grace-floor-'));
  const path = join(dir, 's.sock');
  const child = fork(new URL(import.meta.url), [path]);
  await once(child, 'message');
  const socket = connect(path);
  await once(socket, 'connect');
  let held = Buffer.alloc(0);
  let arrived = () => {};
  socket.on('data', (chunk) => {
    held = held.length ? Buffer.concat([held, chunk]) : chunk;
    let at = 0;
    while (held.length - at >= 4) {
      const length = held.readUInt32LE(at);
      if (held.length - at - 4 < length) break;
      arrived(deserialize(held.subarray(at + 4, at + 4 + length)));
      at += 4 + length;
    }
    held = held.subarray(at);
  });
  const send = (message) => {
    const body = serialize(message);
    const frame = Buffer.allocUnsafe(4 + body.length);
    frame.writeUInt32LE(body.length, 0);
    body.copy(frame, 4);
    socket.write(frame);
  };
  const trips = 5000;
  const trip = (i) =>
    new Promise((resolve) => {
      arrived = resolve;
      send({ subject: 'a.b', i });
    });
  for (let i = 0; i < 500; i++) await trip(i);
  let started = performance.now();
  for (let i = 0; i < trips; i++) await trip(i);
  const roundTripUs = ((performance.now() - started) * 1000) / trips;
  const messages = 100_000;
  let got = 0;
  const all = new Promise((resolve) => {
    arrived = () => {
      if (++got === messages) resolve();
    };
  });
  started = performance.now();
  socket.cork();
  for (let i = 0; i < messages; i++) {
    send({ subject: 'a.b', i });
    if (i % 256 === 0) {
      socket.uncork();
      socket.cork();
    }
  }
  socket.uncork();
  await all;
  const perSecond = messages / ((performance.now() - started) / 1000);
  socket.destroy();
  child.disconnect();
  rmSync(dir, { recursive: true });
  console.log(JSON.stringify({ roundTripUs, perSecond }));
}
