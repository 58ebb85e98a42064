import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { errno, type GroupFiles, systemGroupFiles } from '../src/machine/control-groups/group-files.ts';
import { ownGroups } from '../src/machine/control-groups/own-groups.ts';
import { removeGroups } from '../src/machine/control-groups/removal.ts';
import { UnifiedTree } from './unified-tree.ts';

/** `made`, `joined`... what each step came to: `ok`, the text that was read, or the error's code. */
async function script(files: GroupFiles, base: string, pid: number): Promise<string[]> {
  const steps: string[] = [];
  const step = async (what: string, work: Promise<unknown>): Promise<void> => {
    steps.push(
      `${what}: ${await work.then(
        (value) => (value === undefined ? 'ok' : String(value).trim()),
        (error) => errno(error),
      )}`,
    );
  };
  const at = (...names: string[]): string => join(base, ...names);
  const type = (group: string) => step(`type of ${group}`, files.read(at(group, 'cgroup.type')));
  const write = (path: string, text: string) =>
    step(`${text === String(pid) ? 'the process' : text} into ${path}`, files.write(at(path), text));

  await step('make in nothing', files.make(at('none', 'inside')));
  await step('make', files.make(at('domain')));
  await step('make again', files.make(at('domain')));
  await files.make(at('domain/thread'));
  await type('domain');
  await write('domain/cgroup.type', 'domain');
  await write('domain/cgroup.subtree_control', '+nothing');
  await write('domain/cgroup.subtree_control', '+memory');
  await write('domain/cpu.max', '5000 20000');
  await write('domain/thread/cgroup.type', 'threaded');
  await type('domain');
  await type('domain/thread');
  await files.make(at('domain/late'));
  await type('domain/late');
  await write('domain/late/cgroup.procs', String(pid));
  await files.make(at('domain/thread/below'));
  await type('domain/thread/below');
  await write('domain/thread/below/cgroup.threads', String(pid));
  // From another domain a single thread cannot come, its process can.
  await write('domain/thread/cgroup.threads', String(pid));
  await write('domain/cgroup.procs', String(pid));
  await write('domain/thread/cgroup.threads', String(pid));
  await step(
    'threads',
    files.read(at('domain/thread/cgroup.threads')).then((text) => text.trim() === String(pid)),
  );
  await step('processes of threads', files.read(at('domain/thread/cgroup.procs')));
  await step('remove a held one', files.remove(at('domain/thread')));
  await write('domain/cgroup.threads', String(pid));
  await step('remove one with a group inside', files.remove(at('domain/thread')));
  await step('remove', files.remove(at('domain/thread/below')));
  await step('remove', files.remove(at('domain/thread')));
  await step('remove', files.remove(at('domain/late')));
  await step('remove what is not there', files.remove(at('domain/late')));
  await type('domain');
  // A group below one with processes can still be threaded, and one with processes cannot.
  await write('domain/cgroup.type', 'threaded');
  await write('domain/cgroup.threads', '1073741823');
  return steps;
}

const { unified } = ownGroups();

test('the tree for machines without v2 controllers refuses what a real kernel refuses', async (t) => {
  const base = join(unified ?? '', `grace-tree-${process.pid}`);
  try {
    if (unified === null) throw new Error('there is none');
    mkdirSync(base);
  } catch (error) {
    t.skip(`no v2 hierarchy can be written here: ${(error as Error).message}`);
    return;
  }
  const idle = spawn('sh', ['-c', 'read _'], { stdio: ['pipe', 'ignore', 'ignore'] });
  try {
    const real = await script(systemGroupFiles, base, idle.pid!);
    const tree = new UnifiedTree(unified, []);
    await tree.make(base);
    tree.settle(unified, idle.pid!);
    assert.deepEqual(await script(tree, base, idle.pid!), real);
    assert.ok(real.includes('type of domain: domain threaded'), real.join('\n'));
  } finally {
    idle.kill('SIGKILL');
    await new Promise((resolve) => idle.once('exit', resolve));
    assert.deepEqual(await removeGroups(systemGroupFiles, base, 5000), []);
  }
  assert.throws(() => rmdirSync(base), { code: 'ENOENT' });
});
