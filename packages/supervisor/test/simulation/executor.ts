import type { Environment, Order } from './environment.ts';
import { drain, limit, load, press, probe, start, terminate } from './kernel-orders.ts';
import { ask } from './request.ts';

const END_DEADLINE_MS = 2000;

/** Does what the core orders, as src/process/executor.ts does, on simulated processes; each answer comes after a delay, or never. */
export function execute(env: Environment, command: Order): void {
  switch (command.do) {
    case 'spawn-cell':
      env.spawnCell(command.cell, command.incarnation);
      return;
    case 'kill-cell':
      killCell(env, command.cell);
      return;
    case 'end-cell':
      ask(env, command.cell, END_DEADLINE_MS, {
        act: (cell, answered) => {
          answered(null);
          env.later(cell.random.between(0.5, 5), () => env.endCell(cell, 0, null));
        },
        late: () => {
          killCell(env, command.cell);
          return null;
        },
      });
      return;
    case 'load':
      load(env, command);
      return;
    case 'start':
      start(env, command);
      return;
    case 'probe':
      probe(env, command);
      return;
    case 'drain':
      drain(env, command);
      return;
    case 'terminate':
      terminate(env, command);
      return;
    case 'limit':
      limit(env, command);
      return;
    case 'press':
      press(env, command);
      return;
    case 'inspect-cell':
      inspect(env, command.cell, command.incarnation);
      return;
    case 'continue-cell': {
      const cell = env.cells.get(command.cell);
      if (cell?.stopped) env.later(cell.random.between(0.5, 3), () => cell.stopped && cell.thaw());
      return;
    }
    // Nothing waits for these: a kernel is told, or something is kept to look at.
    case 'tell':
    case 'evidence':
      return;
    case 'finish':
      env.finished = true;
      return;
    default:
      command satisfies never;
  }
}

function killCell(env: Environment, id: string): void {
  const cell = env.cells.get(id);
  if (cell) env.later(cell.random.between(0.5, 10), () => env.endCell(cell, null, 'SIGKILL'));
}

function inspect(env: Environment, id: string, incarnation: number): void {
  const cell = env.cells.get(id);
  if (!cell || cell.incarnation !== incarnation) return;
  const waited = env.machine.waitMs / (env.machine.waitMs + 50);
  env.later(cell.random.between(0.5, 5), () => {
    if (!cell.alive) return;
    const runDelayMs = cell.frozen ? 0 : env.now * waited;
    env.emit({ t: 'cell-inspected', cell: id, incarnation, stopped: cell.stopped, main: { cpuMs: 10, runDelayMs } });
  });
}
