import { readFileSync } from 'node:fs';
import { rigKernels } from '@grace/testkit';
import mesh from './trigger_mesh/kernel.ts';
import sched from './scheduler/kernel.ts';
const rig = await rigKernels([mesh, sched], { config: { trigger_mesh: { triggers: '/work/main/configs/triggers.yaml' } } });
for (const id of ['trigger_mesh', 'scheduler']) {
  const text = readFileSync(`/work/main/docs/kernels/${id}.md`, 'utf8');
  for (const [, k, v, j] of text.matchAll(/^grace call (\w+) (\w+) '(.*)'$/gm)) {
    try { console.log(k, v, JSON.stringify(await rig.call(k!, v!, JSON.parse(j!))).slice(0, 110)); } catch (e) { console.log('FAIL', k, v, (e as Error).message); }
  }
}
let t = performance.now(); for (let i = 0; i < 50; i++) await rig.probe('trigger_mesh'); console.log('mesh probe ms', ((performance.now() - t) / 50).toFixed(1));
t = performance.now(); for (let i = 0; i < 50; i++) await rig.probe('scheduler'); console.log('sched probe ms', ((performance.now() - t) / 50).toFixed(1));
await rig.close();
