import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { askPermission } from '../access/permission.ts';
import type { Recorder } from '../access/record.ts';
import { checkVerb, isReading, needsPermission } from '../access/role.ts';
import type { Schema } from '../http/schema.ts';
import type { Settings } from '../settings.ts';
import type { SystemView } from '../system-view.ts';
import { actorOf, document, object, type Route } from './route.ts';

const KERNEL: Schema = { type: 'string', pattern: '^[A-Za-z0-9_.-]{1,64}$', description: 'Id of a kernel' };
const VERB: Schema = { type: 'string', pattern: '^[A-Za-z][A-Za-z0-9_]{0,63}$', description: 'Name of a verb' };
/** The cell waits for the supervisor no longer than 30 s. */
const DEADLINE_MAX_MS = 25_000;

export function kernelRoutes(ctx: KernelContext, view: SystemView, settings: Settings, record: Recorder): Route[] {
  const bare = { tag: 'kernels', role: 'viewer' } as const;
  const params = object({ kernel: KERNEL }, ['kernel']);
  return [
    {
      ...bare,
      method: 'GET',
      path: '/api/v1/kernels',
      id: 'listKernels',
      summary: 'All kernels and how they are',
      answers: {
        200: {
          description: 'In the order of boot.',
          schema: object({ kernels: { type: 'array', items: document('One entry of `kernels` in the status') } }, [
            'kernels',
          ]),
        },
      },
      handle: async () => ({ kernels: (await view.status()).kernels }),
    },
    {
      ...bare,
      method: 'GET',
      path: '/api/v1/kernels/:kernel',
      id: 'getKernel',
      summary: 'One kernel',
      params,
      answers: { 200: { description: 'How it is.', schema: document('One entry of `kernels` in the status') } },
      handle: ({ params: { kernel } }) => view.kernel(kernel!),
    },
    {
      ...bare,
      method: 'GET',
      path: '/api/v1/kernels/:kernel/verbs',
      id: 'listVerbs',
      summary: 'The verbs of a kernel',
      params,
      answers: {
        200: {
          description: 'Names.',
          schema: object({ verbs: { type: 'array', items: { type: 'string' } } }, ['verbs']),
        },
      },
      handle: async ({ params: { kernel } }) => ({ verbs: await view.verbs(kernel!) }),
    },
    {
      ...bare,
      method: 'POST',
      path: '/api/v1/kernels/:kernel/verbs/:verb',
      id: 'callVerb',
      summary:
        'Call a verb as the principal of the token; role, verbs of the token, and policies decide whether it may',
      params: object({ kernel: KERNEL, verb: VERB }, ['kernel', 'verb']),
      query: object({
        deadlineMs: { type: 'integer', minimum: 1, maximum: DEADLINE_MAX_MS, description: 'How long to wait' },
      }),
      body: { description: 'The input of the verb; docs/kernels/ has an example of each. Nothing is an empty input.' },
      answers: { 200: { description: 'What the verb answered.', schema: object({ answer: {} }) } },
      async handle({ params: { kernel, verb }, query, body, caller }) {
        if (!caller) throw new GraceError('FORBIDDEN', 'nobody in particular calls no verb');
        const { id } = await view.kernel(kernel!);
        checkVerb(caller, id, verb!);
        if (settings.governance && needsPermission(id, verb!)) await askPermission(ctx, caller, `${id}.${verb}`);
        const deadlineMs = (query['deadlineMs'] as number | undefined) ?? settings.times.callMs;
        const told = isReading(id, verb!)
          ? () => {}
          : (outcome: string): void =>
              record({ actor: actorOf(caller), action: 'verb:call', resource: `${id}.${verb}`, outcome });
        try {
          const answer = await view.call(caller, { kernel: id, verb: verb!, input: body ?? {}, deadlineMs });
          told('ok');
          return { answer: answer ?? null };
        } catch (error) {
          told(String((error as Partial<GraceError>).code ?? 'INTERNAL'));
          throw error;
        }
      },
    },
  ];
}
