import type { KernelState } from '@grace/contracts';
import { NOTHING, showMs } from '../output/figures.ts';
import { type Output, printable, type Tone } from '../output/output.ts';
import { table } from '../output/table.ts';
import type { Board, BoardKernel } from './board.ts';

export function toneOf(state: KernelState): Tone {
  if (state === 'running') return 'good';
  if (state === 'failed' || state === 'quarantined') return 'bad';
  return state === 'backoff' || state === 'draining' || state === 'stopping' ? 'warn' : 'dim';
}

function signOf(state: KernelState): string {
  if (state === 'running') return '✔';
  return state === 'failed' || state === 'quarantined' ? '✖' : '•';
}

/** The whole list, to be drawn again and again on a terminal. */
export function boardLines(board: Board, out: Output): string[] {
  const paint = (kernel: BoardKernel, text: string): string => out.paint(toneOf(kernel.state), text);
  const columns = [
    { head: '', cell: (k: BoardKernel) => paint(k, out.text(signOf(k.state))) },
    { head: 'KERNEL', cell: (k: BoardKernel) => k.id },
    { head: 'CELL', cell: (k: BoardKernel) => k.cell },
    { head: 'STATE', cell: (k: BoardKernel) => paint(k, k.state) },
    { head: 'READY IN', cell: (k: BoardKernel) => showMs(k.readyMs), align: 'right' as const },
    { head: '', cell: (k: BoardKernel) => (k.error ? out.text(reason(k)) : '') },
  ];
  return table(columns, [...board.kernels.values()], (head) => out.paint('dim', head));
}

/** One line for a kernel that has come to a state worth a line of plain output; undefined for steps on the way. */
export function plainLine({ id, cell, state, readyMs, error }: BoardKernel, out: Output): string | undefined {
  if (state === 'running' && readyMs !== null)
    return `${out.paint('good', 'ready')}   ${id} (${cell}, ${showMs(readyMs)})`;
  if (state === 'failed' || state === 'quarantined') {
    return `${out.paint('bad', state.padEnd(7))} ${id} (${cell})${error ? `: ${reason({ error })}` : ''}`;
  }
  return undefined;
}

function reason({ error }: Pick<BoardKernel, 'error'>): string {
  return error ? printable(`${error.code}: ${error.message.split('\n')[0]}`) : NOTHING;
}
