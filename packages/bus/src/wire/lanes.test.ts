import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fifo, type Lane, Lanes } from './lanes.ts';

test('a queue gives back what was put in, in its order, however long it gets', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat({ max: 3000 }), fc.constant(-1))), (steps) => {
      const fifo = new Fifo<number>();
      const model: number[] = [];
      for (const step of steps) {
        if (step >= 0) {
          for (let i = 0; i < step; i++) {
            fifo.push(i);
            model.push(i);
          }
        } else {
          for (let i = 0; i < 700; i++) assert.equal(fifo.shift(), model.shift());
          fifo.filter((n) => n % 3 > 0);
          model.splice(0, model.length, ...model.filter((n) => n % 3 > 0));
        }
        assert.equal(fifo.size, model.length);
        assert.equal(fifo.peek(), model[0]);
      }
      assert.deepEqual([...fifo], model);
    }),
  );
});

test('the most urgent comes first, and within one lane the oldest', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 2 })), (order) => {
      const lanes = new Lanes<[number, number]>();
      for (const [i, lane] of order.entries()) lanes.push(lane as Lane, [lane, i]);
      const expected = order.map((lane, i) => [lane, i] as [number, number]).sort(([a], [b]) => a - b);
      assert.deepEqual([...lanes], expected);
      assert.equal(lanes.size, order.length);
      assert.deepEqual(
        order.map(() => lanes.shift()),
        expected,
      );
      assert.equal(lanes.shift(), undefined);
    }),
  );
});
