import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bootSystem, openSite, type System } from '@grace/testkit';
import { type Consumer, KERNELS, MAX_PAYLOAD_BYTES, OUTSIDE, type Part } from './cast.ts';
import type { Plan } from './participant.ts';

const HISTORY = 'history';
const KERNEL = fileURLToPath(new URL('./kernel.ts', import.meta.url));

/** The system under test, armed, with the participants that are kernels. What is written stands beside its home, not in it. */
export async function bootWithCast(seed: number, tickMs: number): Promise<{ system: System; folder: string }> {
  const ids = Object.keys(KERNELS);
  const site = openSite({ config: '' });
  const folder = join(site.dir, HISTORY);
  mkdirSync(folder);
  site.write(join(HISTORY, 'about.json'), JSON.stringify({ seed, kernels: KERNELS, outside: OUTSIDE }, null, 2));
  site.write('acl.yaml', JSON.stringify(accessRules()));
  for (const id of ids)
    site.write(
      `${id}.mjs`,
      `import { participantKernel } from ${JSON.stringify(KERNEL)};\nexport default participantKernel('${id}');\n`,
    );
  site.write('grace.yaml', JSON.stringify(configuration(folder, seed, tickMs), null, 2));
  const system = await bootSystem({ site, armed: true, args: ['--only', ids.join(',')] });
  if (system.booted.code === 0) return { system, folder };
  await site.close({ mayLeave: true });
  throw new Error(`the system did not boot: ${system.booted.stdout}${system.booted.stderr}`);
}

function configuration(folder: string, seed: number, tickMs: number): object {
  const restart = { budget: 100_000, backoff: '20ms', backoff_max: '100ms' };
  const kernels = Object.entries(KERNELS).map(([id, { cell, ...part }]) => [
    id,
    {
      module: `./${id}.mjs`,
      cell,
      needs: ['message_bus'],
      restart,
      config: { folder, seed, tickMs, part } satisfies Plan,
    },
  ]);
  return {
    acl: './acl.yaml',
    settings: { max_payload: MAX_PAYLOAD_BYTES },
    kernels: { message_bus: { restart }, ...Object.fromEntries(kernels) },
  };
}

/** Everybody may do what the cast says, and listen where nobody may publish. */
function accessRules(): object {
  const principal = ({ publishes, consumers }: Part) => ({
    publish: { allow: publishes },
    subscribe: { allow: consumers.map(({ pattern }: Consumer) => pattern) },
  });
  const kernels = Object.entries(KERNELS).map(([id, part]) => [id, principal(part)]);
  const outside = Object.entries(OUTSIDE).map(([id, part]) => [id, principal(part)]);
  return {
    kernels: {
      publish: { allow: ['kernel.{self}.event.>'] },
      subscribe: { allow: ['kernel.{self}.>'] },
    },
    principals: Object.fromEntries([...kernels, ...outside]),
  };
}
