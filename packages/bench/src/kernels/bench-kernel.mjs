// A kernel for measurements: it can end, hang, ask and be asked.
const kernel = (id) => ({
  id,
  async start(ctx) {
    let handled = 0;
    let reached = () => {};
    let target = Infinity;
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
