import type { KernelStatus, StatusDocument } from '@grace/contracts';
import { toneOf } from '../boot/board-view.ts';
import { NOTHING, showBytes, showMs, showPercent, showShare } from './figures.ts';
import { type Output, printable } from './output.ts';
import { type Column, table } from './table.ts';
import { wrapped } from './wrapped.ts';

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
    system.guardianPid === null ? 'no guardian' : `guardian pid ${system.guardianPid}`,
    `version ${system.version}`,
    ...(system.armed ? ['armed'] : []),
  ];
  return [
    `${out.paint(tone, system.state)}  ${facts.join(', ')}`,
    out.paint('dim', `home ${system.home}`),
    ...enforcementLines(system.enforcement, out),
    ...(system.journalRefused > 0
      ? [out.paint('bad', `the disk refused ${system.journalRefused} records of the journal`)]
      : []),
  ];
}

const CPU_METHODS: Record<StatusDocument['system']['enforcement']['cpu'], string> = {
  cgroup2: 'control groups (v2)',
  cgroup1: 'control groups (v1)',
  inspector: 'pausing and resuming threads (inspector)',
  none: 'none: no CPU limit is enforced on this machine',
};

function enforcementLines({ cpu, memory }: StatusDocument['system']['enforcement'], out: Output): string[] {
  return [
    out.paint(cpu === 'none' ? 'warn' : 'dim', `CPU limits: ${CPU_METHODS[cpu]}`),
    ...wrapped(`memory limits: ${memory}`, WIDTH).map((line) => out.paint('dim', line)),
  ];
}

/** Columns a line of text may take. */
const WIDTH = 100;

/** Fits into 100 columns as long as kernels have the built-in names. */
function kernelColumns(out: Output): Column<KernelStatus>[] {
  return [
    { head: 'KERNEL', cell: ({ id }) => id },
    { head: 'STATE', cell: ({ state }) => out.paint(toneOf(state), state) },
    { head: 'CONDITION', cell: (kernel) => condition(kernel, out) },
    { head: 'CELL', cell: ({ id, cell }) => (cell === `solo_${id}` ? 'its own' : cell) },
    { head: 'RESTARTS', cell: ({ restarts }) => String(restarts), align: 'right' },
    { head: 'BEAT', cell: ({ heartbeatAgeMs }) => showMs(heartbeatAgeMs), align: 'right' },
    { head: 'CPU', cell: ({ cpuPercent }) => showPercent(cpuPercent), align: 'right' },
    { head: 'CAP', cell: ({ cap }) => (cap === null ? NOTHING : out.paint('warn', showShare(cap))), align: 'right' },
    { head: 'MEMORY', cell: (kernel) => showBytes(memoryOf(kernel)), align: 'right' },
  ];
}

function condition({ state, condition }: KernelStatus, out: Output): string {
  if (state !== 'running') return NOTHING;
  return condition === 'healthy' ? condition : out.paint(condition === 'late' ? 'warn' : 'bad', condition);
}

/** Heap and what lies outside it; unknown where either is. */
function memoryOf({ heapBytes, externalBytes }: KernelStatus): number | null {
  return heapBytes === null || externalBytes === null ? null : heapBytes + externalBytes;
}

const CELL_COLUMNS: Column<Cell>[] = [
  { head: 'CELL', cell: ({ id }) => id },
  { head: 'STATE', cell: ({ state }) => state },
  { head: 'PID', cell: ({ pid }) => (pid === null ? NOTHING : String(pid)), align: 'right' },
  { head: 'MEMORY', cell: ({ rssBytes }) => showBytes(rssBytes), align: 'right' },
  { head: 'CPU', cell: ({ cpuPercent }) => showPercent(cpuPercent), align: 'right' },
  // Which ones, the table of kernels tells.
  { head: 'KERNELS', cell: ({ kernels }) => String(kernels.length), align: 'right' },
];

function busLine({ bus }: StatusDocument, out: Output): string {
  const sum = bus.handled + bus.rejected + bus.expired + bus.deadLettered + bus.waiting;
  const line = `bus: ${bus.accepted} accepted = ${bus.handled} handled + ${bus.rejected} rejected + ${bus.expired} expired + ${bus.deadLettered} dead-lettered + ${bus.waiting} waiting; ${bus.denied} denied`;
  return sum === bus.accepted ? line : out.paint('bad', `${line} (does not add up: ${sum - bus.accepted})`);
}
