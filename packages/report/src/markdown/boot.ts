import type { ReportModel } from '../model.ts';
import { code, text } from '../text/escape.ts';
import { table } from '../text/table.ts';
import { count, duration, list, observed, percent } from '../text/units.ts';
import type { Style } from './marks.ts';
import { answer, claim, evidence, sign } from './marks.ts';

/** Phase 1 of the seed's report: the kernels, one by one. */
export function boot(model: ReportModel, { ascii }: Style): string[] {
  const { boot, run } = model;
  if (boot.kernels.length === 0)
    return [`### Phase 1: boot ${sign('unknown', ascii)}`, 'The boot is not in the journal.'];
  const whole =
    boot.total !== null && boot.ready === boot.total && boot.kernels.every((kernel) => kernel.error === null);
  const share = boot.ready === null || boot.total === null || boot.total === 0 ? null : boot.ready / boot.total;
  const rows = boot.kernels.map((kernel, at) => [
    count(at + 1),
    code(kernel.id),
    kernel.cell === null ? 'not recorded' : code(kernel.cell),
    kernel.readyMs === null ? `${sign('bad', ascii)} never` : duration(kernel.readyMs),
    kernel.error
      ? text(`${kernel.error.code}: ${kernel.error.message}`)
      : kernel.probe === null
        ? 'not recorded'
        : `${sign('ok', ascii)} ${text(observed(kernel.probe))}`,
    kernel.evidence.map(text).join(', '),
  ]);
  const off = run.safeguardsOff.length === 0 ? 'all on' : `off: ${run.safeguardsOff.join(', ')}`;
  return [
    `### Phase 1: boot ${sign(whole ? 'ok' : 'bad', ascii)}`,
    `**${count(boot.ready)} of ${count(boot.total)} kernels ready**${boot.ms === null ? '' : ` after ${duration(boot.ms)}`}${evidence(boot.evidence)}. A kernel is ready when its functional probe has answered: it did its job once.`,
    table(['#', 'Kernel', 'Cell', 'Ready after', 'First functional probe', 'Record'], rows),
    `**Result:** ${count(boot.ready)}/${count(boot.total)} kernels ready (${percent(share)}); armed for drills: ${run.armed === null ? 'not recorded' : run.armed ? 'yes' : 'no'}; safeguards: ${text(off)}.`,
    `**Limits:** ${limits(run)}${evidence(boot.evidence.slice(0, 1))}.`,
    '---',
  ];
}

/** What this machine enforces, in the words of the boot; what it does not is said first. */
function limits({ enforcement }: ReportModel['run']): string {
  if (enforcement === null) return 'not recorded';
  const { cpu, memory } = enforcement;
  const none = [...(cpu === 'none' ? ['CPU'] : []), ...(memory === 'none' ? ['memory'] : [])];
  const missing = none.length === 0 ? '' : `not enforced on this machine: ${list(none)}; `;
  return `${missing}CPU ${text(cpu === 'none' ? 'not enforced' : `by ${cpu}`)}; memory ${text(memory === 'none' ? 'not enforced' : memory)}`;
}

/** Phase 2, and phase 3 where there is a coding agent. */
export function monitoring(model: ReportModel, { ascii }: Style): string[] {
  // What is not in this system is not listed as if it were; it stands under what was not tested.
  const present = model.systems.filter((system) => system.state !== 'absent');
  const started = present.filter((system) => system.started === true).length;
  const ailing = present.some((system) => system.state === 'switched off' || system.state === 'failed');
  const mark = started === 0 ? 'unknown' : ailing ? 'bad' : 'ok';
  const rows = present.map((system) => [
    text(system.title),
    code(system.owner),
    system.state === 'absent' ? `no: ${text(system.why)}` : `${answer(system.started, ascii)}: ${text(system.why)}`,
    Object.entries(system.counts)
      .map(([label, n]) => `${text(label)}: ${count(n)}`)
      .join('; ') || 'nothing to count',
    system.evidence.map(text).join(', '),
  ]);
  const blocks = [
    `### Phase 2: monitoring and self-healing ${sign(mark, ascii)}`,
    `**${count(started)} of ${count(present.length)} systems started.** Counts of what a system knows are those its kernel gave with its first probe; the other counts are of this journal.`,
    table(['System', 'Runs in', 'Started', 'Counts', 'Records'], rows),
    '---',
  ];
  return model.autofix === null ? blocks : [...blocks, ...autofix(model, ascii)];
}

function autofix({ autofix }: ReportModel, ascii: boolean): string[] {
  if (autofix === null) return [];
  const lines = [...autofix.incidents, ...autofix.playbooks].map((entry) => `- ${claim(entry)}`);
  return [
    `### Phase 3: auto-fix ${sign(autofix.started ? 'unknown' : 'bad', ascii)}`,
    `The coding agent ${autofix.started ? `is ready${evidence(autofix.evidence)}` : 'never became ready'}. Tasks queued: ${count(autofix.tasks)}.`,
    lines.length > 0 ? lines.join('\n') : 'No incident and no playbook run in the journal names it.',
    '---',
  ];
}
