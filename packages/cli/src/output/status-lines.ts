import type { KernelStatus, StatusDocument } from '@grace/contracts';
import { toneOf } from '../boot/board-view.ts';
import { balanceLine, mutedFor, unbalancedLines } from './bus-lines.ts';
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
    balanceLine(status.bus, out),
    ...unbalancedLines(status.bus.unbalanced, out),
    ...violationLines(status, out),
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

/** Who was denied what, and whether it is muted. */
function violationLines({ bus }: StatusDocument, out: Output): string[] {
  return bus.violations.map(({ principal, denied, lastSubject, mutedUntilMono, level }) => {
    const last = lastSubject === '' ? '' : `, last ${lastSubject}`;
    if (mutedUntilMono === null) return `denied: ${printable(`${principal} (${denied} denied${last})`)}`;
    const muted = `muted: ${principal} for ${mutedFor(mutedUntilMono)} more (level ${level}, ${denied} denied${last})`;
    return out.paint('warn', printable(muted));
  });
}
