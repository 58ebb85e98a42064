// A kernel for measurements: it can end, hang, grow, burn, ask and be asked.
import { pbkdf2Sync } from 'node:crypto';

const kernel = (id) => ({
  id,
  async start(ctx) {
    let handled = 0;
    let reached = () => {};
    let target = Infinity;
    let storming = false;
    let asking = null;
    if (ctx.config.answers) {
      await ctx.bus.subscribe(`bench.${id}.ask`, (message) => message.reply(message.payload));
      await ctx.bus.subscribe(`bench.${id}.event`, () => {
        if (++handled === target) reached();
      });
    }
    return {
      verbs: {
        crash: () => void setImmediate(() => process.exit(1)),
        spin: () =>
          void setImmediate(() => {
            for (;;);
          }),
        // About ten seconds in native code, where no terminate() reaches: it ends by itself should nobody end it.
        block: () => void setImmediate(() => pbkdf2Sync('x', 'y', 40_000_000, 32, 'sha256')),
        // About 1 GB/s outside the heap, at most 1 GB.
        grow: () =>
          void setImmediate(() => {
            const kept = [];
            const timer = setInterval(() => {
              kept.push(Buffer.alloc(8e6, 1));
              if (kept.length >= 125) clearInterval(timer);
            }, 8);
          }),
        // Burns all it may while the event loop turns.
        storm({ forMs }) {
          storming = true;
          const end = performance.now() + forMs;
          const turn = () => {
            if (storming && performance.now() < end) setImmediate(turn);
          };
          turn();
        },
        calm() {
          storming = false;
        },
        nothing: () => ({}),
        keepAsking({ to }) {
          const counts = { asked: 0, failed: 0, on: true };
          asking = counts;
          void (async () => {
            while (counts.on) {
              counts.asked++;
              await ctx.bus.request(`bench.${to}.ask`, counts.asked).catch(() => counts.failed++);
              await new Promise((resolve) => setTimeout(resolve, 2));
            }
          })();
        },
        stopAsking() {
          const { asked, failed } = asking;
          asking.on = false;
          return { asked, failed };
        },
        async roundTrip({ to, trips }) {
          for (let i = 0; i < trips / 10; i++) await ctx.bus.request(`bench.${to}.ask`, i);
          const started = performance.now();
          for (let i = 0; i < trips; i++) await ctx.bus.request(`bench.${to}.ask`, i);
          return { roundTripUs: ((performance.now() - started) * 1000) / trips };
        },
        expect({ messages }) {
          handled = 0;
          target = messages;
          return new Promise((resolve) => {
            reached = () => resolve({ handled });
          });
        },
        async flood({ to, messages, window }) {
          const started = performance.now();
          let sent = 0;
          await Promise.all(
            Array.from({ length: window }, async () => {
              while (sent < messages) {
                const i = sent++;
                await ctx.bus.publish(`bench.${to}.event`, { i });
              }
            }),
          );
          return { acceptedPerSecond: messages / ((performance.now() - started) / 1000) };
        },
      },
      probe: () => ({ handled }),
    };
  },
});

export default kernel;
