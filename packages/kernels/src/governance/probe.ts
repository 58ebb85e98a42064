import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { CedarHost } from './engine/cedar.ts';
import { createEngine, decideOnce } from './engine/engine.ts';
import type { Question } from './engine/question.ts';
import type { Governor } from './governor.ts';
import type { PolicySet } from './policies/policy-set.ts';

const KEY = 'probe';
const text = { type: 'EntityOrCommon', name: 'String' } as const;
const truth = { type: 'EntityOrCommon', name: 'Bool' } as const;
const probes = { op: '==', entity: { type: 'Action', id: 'probe' } } as const;
const anything = { op: 'All' } as const;
const named = (id: string) => ({ op: '==', entity: { type: 'Probe', id } }) as const;

/** Three policies as `compilePolicies` would make them of their text: each start would pay for that. */
const FIXED: PolicySet = {
  version: 'probe',
  files: [],
  settings: { approvalRequired: true, defaultTier: 'propose', principals: {} },
  schema: '',
  policies: {},
  notes: {},
  actions: { probe: { resource: 'Probe', fields: {} } },
  parsed: {
    schema: {
      '': {
        entityTypes: {
          Role: {},
          Principal: {
            memberOfTypes: ['Role'],
            shape: { type: 'Record', attributes: { tier: text, kind: text } },
          },
          Probe: {},
        },
        actions: {
          probe: {
            appliesTo: {
              principalTypes: ['Principal'],
              resourceTypes: ['Probe'],
              context: { type: 'Record', attributes: { approved: truth } },
            },
          },
        },
      },
    },
    policies: {
      all: { effect: 'permit', principal: anything, action: probes, resource: anything, conditions: [] },
      never: { effect: 'forbid', principal: anything, action: probes, resource: named('forbidden'), conditions: [] },
      asked: {
        effect: 'forbid',
        principal: anything,
        action: probes,
        resource: named('asked'),
        conditions: [{ kind: 'unless', body: { '.': { left: { Var: 'context' }, attr: 'approved' } } }],
      },
    },
  },
};
const EXPECTED = { permitted: 'permit all', forbidden: 'forbid never', asked: 'needs_approval asked' };

/**
 * Governance's job once, for real: fixed policies must permit, forbid and ask for an approval as they say; the engine in force must answer as
 * the policies in the store say when they are read and parsed anew; and what is decided must reach the disk.
 */
export function createProbe(
  ctx: KernelContext,
  host: CedarHost,
  governor: Governor,
): () => Promise<Record<string, unknown>> {
  const { engine, versions, turns } = governor;
  const fixed = createEngine(host, FIXED, 'probe');
  const question = (resource: string): Question => ({
    principal: 'governance',
    action: 'probe',
    resource,
    context: {},
  });
  let number = 0;

  return async () => {
    for (const [resource, expected] of Object.entries(EXPECTED)) {
      const { outcome, policies } = fixed.decide(question(resource));
      const found = [outcome, ...policies].join(' ');
      if (found !== expected) fail(`of fixed policies, "${resource}" was decided "${found}", not "${expected}"`);
    }

    const kept = versions.current();
    if (!kept) return fail('the store has no policies');
    if (kept.version !== engine.set.version)
      fail(`policies ${engine.set.version} decide, the store has ${kept.version}`);
    const live: string[] = [];
    for (const resource of ['permitted', 'forbidden']) {
      const found = engine.decide(question(resource));
      live.push(found.outcome);
      // Not at the first: boot waits for it, and the engine read them from the store a moment before.
      if (number === 0) continue;
      const expected = decideOnce(host, kept, question(resource), false);
      if (JSON.stringify(found) !== JSON.stringify(expected)) {
        fail(
          `"${resource}" was decided "${found.outcome}" (${found.reason}), but the policies in the store say "${expected.outcome}" (${expected.reason})`,
        );
      }
    }

    const mine = ++number;
    await turns.take(() => ctx.store.set(KEY, [ctx.incarnation, mine]));
    // Probes overlap: another may have written after this one.
    const [incarnation, latest] = ctx.store.get<[number, number]>(KEY) ?? [];
    if (incarnation !== ctx.incarnation || latest === undefined || latest < mine)
      fail('what was written did not reach the store');
    return {
      fixed: Object.keys(EXPECTED).length,
      live,
      policies: Object.keys(engine.set.notes).length,
      version: kept.version.slice(0, 12),
    };
  };
}

function fail(what: string): never {
  throw new GraceError('INTERNAL', `governance does not do its job: ${what}`);
}
