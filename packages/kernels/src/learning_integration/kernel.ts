import { defineKernel, is } from '@grace/kernel-sdk';
import { DAY_MS } from './choice/posterior.ts';
import { CHOICE_TABLES, createChoiceRecord } from './choice/record.ts';
import { COURIER_TABLES, createCourier } from './courier.ts';
import { createHandworkBook, HANDWORK_TABLES } from './handwork/book.ts';
import { createDraftDesk } from './handwork/desk.ts';
import { openEar } from './hearing/ear.ts';
import { createOutcomeBook, OUTCOME_TABLES } from './outcomes/book.ts';
import { createProbe } from './probe.ts';
import { createVerbs } from './verbs.ts';

/** What a playbook did a month ago says half as much as what it did today: systems and playbooks change. */
const HALF_LIFE_DAYS = 30;
/** Ten times what self_healing remembers. */
const OUTCOMES_MAX = 20_000;

export default defineKernel({
  id: 'learning_integration',
  start(ctx) {
    const number = <T extends object>(name: string, limits: T): number | undefined =>
      is.optional(is.number(limits))(ctx.config[name], `config.${name}`);
    const halfLifeMs = (number('halfLifeDays', { min: 1, max: 3650 }) ?? HALF_LIFE_DAYS) * DAY_MS;
    const keptMax = number('outcomes', { min: 10, max: 1_000_000, integer: true }) ?? OUTCOMES_MAX;
    ctx.store.migrate([OUTCOME_TABLES + CHOICE_TABLES + HANDWORK_TABLES + COURIER_TABLES]);
    const outcomes = createOutcomeBook(ctx.store, keptMax);
    const handwork = createHandworkBook(ctx.store);
    const choices = createChoiceRecord(ctx.store);
    const courier = createCourier(ctx);
    const desk = createDraftDesk(ctx, handwork, courier);
    const ear = openEar(ctx, { outcomes, handwork }, desk.look);
    return {
      verbs: createVerbs({ ctx, outcomes, handwork, choices, courier, desk, ear, halfLifeMs }),
      probe: createProbe(ctx, outcomes, halfLifeMs),
      drain: () => ear.flush(),
    };
  },
});
