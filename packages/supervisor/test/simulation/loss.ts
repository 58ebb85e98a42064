import { restore } from '../../src/core/restore.ts';
import type { Environment } from './environment.ts';

/** A cell that finds no supervisor for this long drains its kernels and ends, ms. */
const ORPHAN_MS = 10_000;
/** How soon a cell dials again, ms. */
const REDIAL_MS = 50;

/** The supervisor dies with all it knew, and after `awayMs` another goes on from the journal. */
export function loseSupervisor(env: Environment, cut: number, awayMs: number): void {
  if (env.supervisor === null || env.finished) return;
  const die = (): void => {
    env.cut = null;
    if (env.supervisor === null || env.finished) return;
    const number = env.supervisor;
    env.supervisor = null;
    for (const cell of env.cells.values()) cell.connection = null;
    env.later(ORPHAN_MS, () => retire(env));
    env.later(awayMs, () => takeOver(env, number + 1));
  };
  if (cut === 0) die();
  else env.cut = { orders: cut, die };
}

function retire(env: Environment): void {
  if (env.supervisor !== null) return;
  for (const cell of [...env.cells.values()])
    if (cell.connection === null)
      env.later(cell.random.between(10, 2000), () => cell.receive(() => env.endCell(cell, 0, null)));
}

function takeOver(env: Environment, number: number): void {
  env.supervisor = number;
  env.since = env.now;
  env.state = restore(env.schedule.topology, env.records ?? [], env.now, env.schedule.seed + number, `inc${number}`);
  env.observer?.restored();
  for (const cell of [...env.cells.values()]) {
    const record = env.state.cells[cell.id];
    cell.known = cell.signedIn && record?.incarnation === cell.incarnation && record.state !== 'down';
    // It holds no kernel that anybody has asked for. One that cannot be found yet is refused when it dials.
    if (!cell.known && cell.signedIn) env.endCell(cell, null, 'SIGKILL');
  }
  for (const [id, { state, incarnation, pid }] of Object.entries(env.state.cells))
    if (state !== 'down' && env.cells.get(id)?.known !== true)
      env.emit({ t: 'cell-exit', cell: id, incarnation, pid: pid ?? 0, code: null, signal: null });
  for (const cell of env.cells.values())
    if (cell.dials)
      env.later(cell.random.between(0, REDIAL_MS), () =>
        cell.receive(() => cell.connection === null && env.hello(cell)),
      );
}
