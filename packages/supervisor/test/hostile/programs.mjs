// Programs that do what breaks other supervisors. Each bounds itself as well: 1 GB, 90 s, 50 children.
import { execSync } from 'node:child_process';
import { pbkdf2Sync } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { getHeapStatistics } from 'node:v8';

const LONGEST_MS = 90_000;
const MOST_BYTES = 1e9;

export default function hostile(id) {
  return {
    id,
    start(ctx) {
      const { dieAfterMs, deaf } = ctx.config;
      if (dieAfterMs !== undefined) {
        setTimeout(() => {
          throw new Error('dies young');
        }, dieAfterMs);
      }
      const kept = [];
      let held = 0;
      let storming = false;
      const later = (act) => void setTimeout(act, 5);
      const inTime = (act) => {
        const end = performance.now() + LONGEST_MS;
        later(() => act(() => performance.now() < end));
      };
      /** Grows by `bytesPerSecond` until its bound. */
      const grow = (bytesPerSecond, allocate) => {
        const everyMs = 10;
        const step = (bytesPerSecond * everyMs) / 1000;
        const timer = setInterval(() => {
          if (held >= MOST_BYTES) clearInterval(timer);
          else {
            kept.push(allocate(step));
            held += step;
          }
        }, everyMs);
      };
      const onHeap = (bytes) => Array.from({ length: Math.ceil(bytes / 80) }, (_, n) => ({ n, held: [n] }));
      const pressures = [];
      ctx.onPressure((pressure) => void pressures.push(pressure));

      return {
        verbs: {
          count() {
            const count = (ctx.store.get('count') ?? 0) + 1;
            ctx.store.set('count', count);
            return { count };
          },
          total: () => ({ count: ctx.store.get('count') ?? 0 }),
          pressures: () => ({ pressures }),

          compute({ forMs }) {
            const until = performance.now() + forMs;
            while (performance.now() < until);
            return { forMs };
          },
          endless_loop: () =>
            inTime((on) => {
              while (on());
            }),
          catastrophic_regex: () => later(() => /^(a+)+$/.test(`${'a'.repeat(34)}b`)),
          atomics_wait: () => later(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LONGEST_MS)),
          native_hash: () => later(() => pbkdf2Sync('x', 'y', 200_000_000, 32, 'sha256')),
          read_fifo: ({ path }) => later(() => readFileSync(path)),
          wait_for_child: () => later(() => execSync('sleep 60')),
          microtask_loop: () =>
            inTime((on) => {
              const turn = () => {
                if (on()) queueMicrotask(turn);
              };
              turn();
            }),
          immediate_storm() {
            storming = true;
            inTime((on) => {
              const turn = () => {
                if (storming && on()) setImmediate(turn);
              };
              turn();
            });
          },
          calm() {
            storming = false;
          },
          leak_slowly: () => grow(20e6, onHeap),
          leak_fast: () => grow(200e6, onHeap),
          leak_buffers: () => grow(1e9, (bytes) => Buffer.alloc(bytes, 1)),
          // V8 lets one allocation far over the limit pass, and ends the whole process at the next: chaos knows it as huge_allocation.
          allocate_at_once() {
            const length = 2 ** 21;
            const blockBytes = length * 8;
            const limitBytes = getHeapStatistics().heap_size_limit;
            const step = () => {
              kept.push(new Array(length).fill(0));
              if (kept.length * blockBytes < limitBytes * 0.3) return void setImmediate(step);
              const blocks = new Array(Math.ceil((limitBytes * 0.85) / blockBytes)).fill(kept[0]);
              kept.push([].concat(...blocks), [].concat(...blocks.slice(0, 4)));
            };
            setImmediate(step);
          },
          segmentation_fault: () => later(() => process.kill(process.pid, 'SIGSEGV')),
          reject: () => later(() => void Promise.reject(new Error('rejected on purpose'))),
          flood_log({ forMs }) {
            const end = performance.now() + forMs;
            const turn = () => {
              for (let n = 0; n < 100; n++) ctx.log.info('a line of a flood', { n });
              if (performance.now() < end) setImmediate(turn);
            };
            turn();
          },
          /** Opens files until there are no more descriptors, and holds them for a while. */
          exhaust_descriptors({ forMs }) {
            const open = [];
            let refused = null;
            while (refused === null && open.length < 10_000) {
              try {
                open.push(openSync('/dev/null', 'r'));
              } catch (error) {
                refused = error.code;
              }
            }
            setTimeout(() => {
              for (const descriptor of open) closeSync(descriptor);
            }, forMs);
            return { opened: open.length, refused };
          },
        },
        probe: () => ({ count: ctx.store.get('count') ?? 0 }),
        drain: () => (deaf ? new Promise(() => {}) : undefined),
      };
    },
  };
}
