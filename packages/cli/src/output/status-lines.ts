import type { KernelStatus, StatusDocument } from '@grace/contracts';
import { toneOf } from '../boot/board-view.ts';
import { NOTHING, showBytes, showMs, showPercent } from './figures.ts';
import { type Output, printable } from './output.ts';
import { type Column, table } from './table.ts';

type Cell = StatusDocument['cells'][number];

/** A status as a person reads it. */
export function statusLines(status: StatusDocument, out: Output): string[] {
  const dim = (text: string): string => out.paint('dim', text);
  return [
    ...systemLines(status, out),
    '',
    ...table(kernelColumns(out), status.kernels, dim),
    '',
    ...table(CELL_COLUMNS, status.cells, dim),
    '',
    busLine(status, out),
    ...status.bus.muted.map(({ principal, denied }) => out.paint('warn', `muted: ${principal} (${denied} denied)`)),
    ...status.kernels.flatMap(({ id, error }) =>
      error ? [out.paint('bad', `${id}: ${printable(`${error.code}: ${error.message}`)}`)] : [],
    ),
  ];
}

function systemLines({ system }: StatusDocument, out: Output): string[] {
  const tone = system.state === 'running' ? 'good' : system.state === 'degraded' ? 'bad' : 'warn';
  const facts = [
    `${system.ready} of ${system.total} ready`,
    `up ${showMs(system.uptimeMs)}`,
    `pid ${system.pid}`,
    `version ${system.version}`,
    ...(system.armed ? ['armed'] : []),
  ];
  const { cpu, memory } = system.enforcement;
  return [
    `${out.paint(tone, system.state)}  ${facts.join(', ')}`,
    out.paint('dim', `home ${system.home}; limits enforced: CPU ${cpu}, memory ${memory}`),
  ];
}

function kernelColumns(out: Output): Column<KernelStatus>[] {
  return [
    { head: 'KERNEL', cell: ({ id }) => id },
    { head: 'STATE', cell: ({ state }) => out.paint(toneOf(state), state) },
    { head: 'CONDITION', cell: (kernel) => condition(kernel, out) },
    { head: 'CELL', cell: ({ cell }) => cell },
    { head: 'INC', cell: ({ incarnation }) => String(incarnation), align: 'right' },
    { head: 'RESTARTS', cell: ({ restarts }) => String(restarts), align: 'right' },
    { head: 'BEAT', cell: ({ heartbeatAgeMs }) => showMs(heartbeatAgeMs), align: 'right' },
    { head: 'CPU', cell: ({ cpuPercent }) => showPercent(cpuPercent), align: 'right' },
    { head: 'HEAP', cell: ({ heapBytes }) => showBytes(heapBytes), align: 'right' },
    { head: 'READY IN', cell: ({ readyMs }) => showMs(readyMs), align: 'right' },
  ];
}

function condition({ state, condition, throttled }: KernelStatus, out: Output): string {
  if (state !== 'running') return NOTHING;
  const text = `${condition}${throttled ? ', throttled' : ''}`;
  return condition === 'healthy' ? text : out.paint(condition === 'late' ? 'warn' : 'bad', text);
}

const CELL_COLUMNS: Column<Cell>[] = [
  { head: 'CELL', cell: ({ id }) => id },
  { head: 'STATE', cell: ({ state }) => state },
  { head: 'PID', cell: ({ pid }) => (pid === null ? NOTHING : String(pid)), align: 'right' },
  { head: 'MEMORY', cell: ({ rssBytes }) => showBytes(rssBytes), align: 'right' },
  { head: 'CPU', cell: ({ cpuPercent }) => showPercent(cpuPercent), align: 'right' },
  { head: 'KERNELS', cell: ({ kernels }) => kernels.join(', ') },
];

function busLine({ bus }: StatusDocument, out: Output): string {
  const sum = bus.handled + bus.rejected + bus.expired + bus.deadLettered + bus.waiting;
  const line = `bus: ${bus.accepted} accepted = ${bus.handled} handled + ${bus.rejected} rejected + ${bus.expired} expired + ${bus.deadLettered} dead-lettered + ${bus.waiting} waiting; ${bus.denied} denied`;
  return sum === bus.accepted ? line : out.paint('bad', `${line} (does not add up: ${sum - bus.accepted})`);
}
