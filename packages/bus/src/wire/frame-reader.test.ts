import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameReader } from './frame-reader.ts';

function framed(body: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(body.length);
  return Buffer.concat([length, body]);
}

test('frames come out as they went in, wherever the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), fc.array(fc.nat({ max: 30 })), (bodies, cuts) => {
      const stream = Buffer.concat(bodies.map(framed));
      const reader = new FrameReader(1000);
      const got: Buffer[] = [];
      let at = 0;
      for (const cut of [...cuts, stream.length]) {
        got.push(...[...reader.push(stream.subarray(at, at + cut))].map((frame) => Buffer.from(frame)));
        at += cut;
      }
      assert.deepEqual(
        got,
        bodies.map((body) => Buffer.from(body)),
      );
    }),
  );
});

test('a frame over the limit is refused when it is announced, not when it has arrived', () => {
  const reader = new FrameReader(10);
  assert.throws(() => [...reader.push(framed(new Uint8Array(11)).subarray(0, 5))], { code: 'PROTOCOL' });
});
