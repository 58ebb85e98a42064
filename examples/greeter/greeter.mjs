// A kernel of one's own: a plain module, no build, no import of Grace. Its default export is the kernel.

const HELLO = 'kernel.greeter.event.greeted';

export default {
  id: 'greeter',

  async start(ctx) {
    // ctx.store is the kernel's own SQLite file: what is set survives a restart and `kill -9`.
    const greeted = () => ctx.store.get('greeted') ?? 0;
    const language = ctx.config.language ?? 'en';
    const words = { en: 'Hello', de: 'Guten Tag', fr: 'Bonjour' };
    if (!Object.hasOwn(words, language))
      throw new Error(`config.language: expected one of en, de, fr, got ${language}`);

    let heard = 0;
    await ctx.bus.subscribe('kernel.greeter.please', async (message) => {
      heard++;
      await greet({ name: message.payload?.name });
    });

    async function greet(input) {
      const name = typeof input?.name === 'string' && input.name.trim() !== '' ? input.name.trim() : undefined;
      if (name === undefined) {
        throw Object.assign(new Error('input.name: expected a name, got nothing'), { code: 'BAD_INPUT' });
      }
      const count = greeted() + 1;
      ctx.store.set('greeted', count);
      const text = `${words[language]}, ${name}!`;
      await ctx.bus.publish(HELLO, { text, count });
      ctx.log.info(text, { count });
      return { text, count };
    }

    return {
      verbs: {
        greet,
        status: () => ({ greeted: greeted(), heard, language, incarnation: ctx.incarnation }),
      },

      // The functional probe does the job once, for real: what it writes must come back, and the bus must take a message.
      async probe() {
        const mark = `${ctx.incarnation}-${ctx.clock.monoMs()}`;
        ctx.store.set('probe', mark);
        if (ctx.store.get('probe') !== mark) throw new Error('the store did not give back what was written');
        await ctx.bus.publish('kernel.greeter.event.probed', { mark }, { deadlineMs: 500 });
        return { greeted: greeted() };
      },

      drain() {
        ctx.log.info('goodbye', { greeted: greeted() });
      },
    };
  },
};
