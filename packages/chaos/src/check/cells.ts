import type { ControlClient } from '@grace/control';
import { kernelOf } from '../observe/target.ts';
import { eventually } from '../observe/wait.ts';
import { CHECK_DEADLINE_MS, type CheckContext, type CheckResult } from './context.ts';

async function pidOf(control: ControlClient, cell: string | null): Promise<number | null> {
  const status = await control.request('status', {});
  return status.cells.find(({ id }) => id === cell)?.pid ?? null;
}

export async function cellReplaced({ control, target }: CheckContext): Promise<CheckResult> {
  const pid = await pidOf(control, target.cell);
  return {
    expected: `cell ${target.cell} in another process than ${target.pid}`,
    observed: `process ${pid ?? 'none'}`,
    ok: pid !== null && pid !== target.pid,
  };
}

export async function cellMatesBack({ control, target }: CheckContext): Promise<CheckResult> {
  const missing = async (): Promise<string[]> => {
    const answers = await Promise.all(
      target.cellMates.map((kernel) =>
        control.request('probe', { kernel }, CHECK_DEADLINE_MS).then(
          ({ ok }) => (ok ? null : kernel),
          (error: Error) => `${kernel} (${error.message})`,
        ),
      ),
    );
    return answers.filter((answer) => answer !== null);
  };
  const whole = await eventually(async () => ((await missing()).length === 0 ? true : null), {
    deadlineMs: CHECK_DEADLINE_MS,
    everyMs: 100,
  });
  const left = whole ? [] : await missing();
  return {
    expected: `${target.cellMates.join(', ')} pass their functional probe`,
    observed: left.length === 0 ? 'all pass' : `not ${left.join(', ')}`,
    ok: target.cellMates.length === 0 ? null : left.length === 0,
  };
}

export async function cellKept({ control, target }: CheckContext): Promise<CheckResult> {
  const pid = await pidOf(control, target.cell);
  return {
    expected: `cell ${target.cell} still in process ${target.pid}`,
    observed: `process ${pid ?? 'none'}`,
    ok: target.pid === null ? null : pid === target.pid,
  };
}

/** Ends of processes since the trial began. */
async function cellExits({ records }: CheckContext) {
  return (await records()).filter((record) => record.name === 'cell:exit');
}

export async function cellKilled(context: CheckContext, signal: string | number | null): Promise<CheckResult> {
  const { cell, pid } = context.target;
  const exit = (await cellExits(context)).find((record) => record.cell === cell && record.data.pid === pid);
  return {
    expected: `cell ${cell} (process ${pid}) ended by ${signal}`,
    observed: exit ? `#${exit.seq} ended by ${exit.data.signal ?? `exit code ${exit.data.code}`}` : 'it did not end',
    ok: exit?.data.signal === signal,
  };
}

/** A cell in which nobody lives any more ends with code 0, and is not meant; nor does it matter who ended the process, itself or a ladder. */
export async function onlyItsCellEnded(context: CheckContext): Promise<CheckResult> {
  const { cell } = context.target;
  const exits = (await cellExits(context)).filter(({ data }) => data.code !== 0);
  const ended = exits.map((exit) => `#${exit.seq} ${exit.cell} (${exit.data.signal ?? `exit code ${exit.data.code}`})`);
  return {
    expected: `the process of cell ${cell} ended once, and no other`,
    observed: ended.join(', ') || 'none ended',
    ok: exits.length === 1 && exits[0]!.cell === cell,
  };
}

/** A kernel that was alone before has no reason to move. */
export async function movedAlone(context: CheckContext): Promise<CheckResult> {
  const { control, target } = context;
  const move = (await context.records()).find((record) => record.name === 'kernel:move' && record.kernel === target.id);
  const where = async (): Promise<{ text: string; ok: boolean }> => {
    const status = await control.request('status', {});
    const kernel = kernelOf(status, target.id);
    const mates = status.kernels.filter(({ id, cell }) => id !== target.id && cell === kernel?.cell);
    const text = `${kernel?.state ?? 'gone'} in ${kernel?.cell ?? 'no cell'} with ${mates.map(({ id }) => id).join(', ') || 'nobody'}`;
    const wasAlone = target.cellMates.length === 1;
    const isElsewhere = wasAlone || kernel?.cell !== target.cell;
    return { text, ok: kernel?.state === 'running' && isElsewhere && mates.length === 0 };
  };
  await eventually(async () => ((await where()).ok ? true : null), { deadlineMs: CHECK_DEADLINE_MS, everyMs: 100 });
  const { text, ok } = await where();
  if (target.cellMates.length === 1) return { expected: `${target.id} running alone, as before`, observed: text, ok };
  const why = move?.name === 'kernel:move' ? `#${move.seq} ${move.data.why}` : 'no record of a move';
  return {
    expected: `${target.id} running in another cell than ${target.cell}, alone`,
    observed: `${text}; ${why}`,
    ok: ok && move?.name === 'kernel:move' && move.data.why === 'solitary',
  };
}
