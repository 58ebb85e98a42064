import { readFile } from 'node:fs/promises';
import { GraceError } from '@grace/contracts';
import { defineKernel, is, type KernelContext } from '@grace/kernel-sdk';
import { createRunJournal, RUN_TABLES } from './contract/journal.ts';
import { createContractor } from './contract/perform.ts';
import { createGatherer } from './facts/gather.ts';
import { createViolationBook, VIOLATION_TABLES } from './invariants/book.ts';
import { createCrier } from './invariants/crier.ts';
import { createRounds } from './invariants/rounds.ts';
import { createProbe } from './probe.ts';
import type { Rule } from './rules/rule.ts';
import { createShelf, SHELF_TABLES } from './rules/shelf.ts';
import { createVerbs } from './verbs.ts';
import { createChecker } from './verdict/checker.ts';

export default defineKernel({
  id: 'verification_framework',
  async start(ctx) {
    const reads =
      is.optional(is.array(is.string({ max: 130, pattern: /^\w+\.\w+$/, what: 'kernel.verb' }), { max: 100 }))(
        ctx.config['reads'],
        'config.reads',
      ) ?? [];
    ctx.store.migrate([SHELF_TABLES + VIOLATION_TABLES + RUN_TABLES]);
    const shelf = createShelf(ctx.store, await configuredRules(ctx));
    const book = createViolationBook(ctx.store);
    const journal = createRunJournal(ctx.store);
    const left = journal.interrupted(ctx.clock.wallMs());
    if (left > 0) ctx.log.warn('contracts were left open by the life before', { contracts: left });
    const gatherer = createGatherer(ctx);
    const checker = createChecker(ctx.clock);
    const rounds = createRounds(ctx, gatherer, checker, book);
    rounds.use(shelf.all());
    createCrier(ctx, book);
    const contractor = createContractor(ctx, gatherer, checker, journal);
    ctx.log.info('rules known', { rules: shelf.all().length });
    return {
      verbs: createVerbs({ ctx, shelf, rounds, book, gatherer, checker, contractor, journal, reads }),
      probe: createProbe(gatherer, checker, () => shelf.all().length),
    };
  },
});

/** Rules as the composition root has checked them, or the path of a file of invariants. */
async function configuredRules(ctx: KernelContext): Promise<readonly Rule[]> {
  const given = ctx.config['invariants'];
  if (given === undefined || given === null) return [];
  if (Array.isArray(given)) return given;
  if (typeof given !== 'string') {
    throw new GraceError(
      'CONFIG_INVALID',
      `kernels.verification_framework.config.invariants: expected the path of a file, got a ${typeof given}`,
    );
  }
  let text: string;
  try {
    text = await readFile(given, 'utf8');
  } catch (error) {
    throw new GraceError('CONFIG_UNREADABLE', `${given}: ${(error as Error).message}`, { file: given });
  }
  const { parseInvariants } = await import('./rules/file.ts');
  return parseInvariants(text, given);
}
