import type { Command, CoreEvent } from '../../src/core/events.ts';
import type { Traced } from './play.ts';
import type { Injection, Schedule } from './schedule.ts';
import type { Failure } from './simulate.ts';

/** What a reader needs of a failure: what broke, the least that breaks it, what happened last, and how to see it again. */
export function story(failure: Failure): string {
  const { seed, broken, keep, kept, schedule, trace } = failure;
  return [
    `seed ${seed} breaks ${broken.invariant} at ${Math.round(broken.atMs)} ms`,
    `  ${broken.message}`,
    `needed: ${kept.length} of ${schedule.injections.length} injections`,
    ...kept.map((injection, n) => `  #${keep[n]} ${injectionLine(injection)}`),
    'the system:',
    ...systemLines(schedule),
    `the last ${trace.length} events (>) and orders (<):`,
    ...trace.map((entry) => `  ${tracedLine(entry)}`),
    `again: ${replay(seed, keep)}`,
  ].join('\n');
}

export function replay(seed: number, keep: readonly number[]): string {
  return `pnpm simulate --seed ${seed} --keep ${keep.length > 0 ? keep.join(',') : 'none'}`;
}

function injectionLine({ at, do: what, ...rest }: Injection): string {
  const details = Object.entries(rest).map(
    ([key, value]) => `${key}=${typeof value === 'number' ? round(value) : JSON.stringify(value)}`,
  );
  return `${String(Math.round(at)).padStart(6)} ms  ${what} ${details.join(' ')}`;
}

function systemLines(schedule: Schedule): string[] {
  const { kernels, safeguards, leaning } = schedule.topology;
  const off = Object.entries(safeguards)
    .filter(([, on]) => !on)
    .map(([name]) => `  without the safeguard ${name}`);
  const lines = kernels.map(({ id, cell, needs, restart, probe, heartbeatMs, hungAfterMs, limits }) =>
    [
      `  ${id} in ${cell}`,
      needs.length > 0 ? ` needs ${needs.join(', ')}` : '',
      `: ${restart.class}, ${restart.budget} in ${restart.windowMs} ms, back-off ${restart.backoffMs} to ${restart.backoffMaxMs} ms`,
      `, probe each ${probe.intervalMs} ms within ${probe.deadlineMs}, heartbeat ${heartbeatMs} ms, hung after ${hungAfterMs} ms`,
      limits.cpu === null ? '' : `, ${limits.cpu} of a core`,
      leaning.includes(id) ? ', its probe asks what it needs' : '',
    ].join(''),
  );
  return [...lines, ...off];
}

function tracedLine(entry: Traced): string {
  const at = `${entry.atMs.toFixed(1).padStart(9)} ms `;
  if ('injection' in entry) return `${at}! ${injectionLine(entry.injection)}`;
  return 'event' in entry ? `${at}> ${eventLine(entry.event)}` : `${at}< ${commandLine(entry.command)}`;
}

function eventLine(event: CoreEvent): string {
  if (event.t !== 'sample') {
    const { t, ...rest } = event;
    return `${t} ${plain(rest)}`;
  }
  const { cell, agentLagMs, threads } = event.sample;
  const looks = threads.map(({ kernel, incarnation, heartbeatAgeMs, elu, missed }) => {
    const lost = missed
      ? ` missed ${round(missed.forMs)} cpu ${round(missed.cpuMs ?? 0)} waited ${round(missed.runDelayMs ?? 0)}`
      : '';
    return `${kernel}/${incarnation} age ${round(heartbeatAgeMs)} elu ${elu}${lost}`;
  });
  return `sample ${cell} lag ${round(agentLagMs)}: ${looks.join('; ')}`;
}

function commandLine(command: Command): string {
  if (command.do !== 'journal') {
    const { do: what, ...rest } = command;
    return `${what} ${plain(rest)}`;
  }
  const { name, kernel, cell, incarnation, data } = command.draft;
  const who = [kernel ?? cell, incarnation].filter((part) => part !== undefined).join('/');
  return `journal ${name} ${who} ${plain(data as unknown as Record<string, unknown>)}`;
}

function plain(fields: Record<string, unknown>): string {
  const text = Object.entries(fields)
    .map(
      ([key, value]) =>
        `${key}=${typeof value === 'number' ? round(value) : typeof value === 'string' ? value : JSON.stringify(value)}`,
    )
    .join(' ');
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
