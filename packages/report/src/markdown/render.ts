import type { Chart } from '../charts/chart.ts';
import { kernelHealth } from '../charts/kernel-health.ts';
import { recoveryTimes } from '../charts/recovery-times.ts';
import { waveTimeline } from '../charts/wave-timeline.ts';
import { workloadLatency } from '../charts/workload-latency.ts';
import type { ReportModel } from '../model.ts';
import { toAscii } from '../text/ascii.ts';
import { boot, monitoring } from './boot.ts';
import { closing } from './closing.ts';
import { issues, working } from './issues.ts';
import { statistics } from './statistics.ts';
import { heading, howToRead, summary } from './summary.ts';
import { waves } from './waves.ts';

export interface MarkdownReport {
  markdown: string;
  charts: Chart[];
}

/** `report.md` and its charts. With `ascii`, no character of either is above 127. */
export function renderMarkdown(source: ReportModel, options: { ascii: boolean }): MarkdownReport {
  // Before anything is escaped: a character may become one that needs escaping.
  const model = options.ascii ? spelled(source) : source;
  const charts = [
    ...model.waves.map((wave) => waveTimeline(model, wave)),
    kernelHealth(model),
    workloadLatency(model),
    recoveryTimes(model),
  ].filter((chart) => chart !== null);
  const sections = [
    heading(model, options),
    summary(model, options),
    howToRead(),
    '## Test results',
    boot(model, options),
    monitoring(model, options),
    waves(model, options, charts),
    statistics(model, charts),
    issues(model),
    working(model, options),
    closing(model, options),
  ];
  const markdown = `${sections
    .flat()
    .filter((block) => block !== '')
    .join('\n\n')}\n`;
  return options.ascii
    ? { markdown: toAscii(markdown), charts: charts.map(({ name, svg }) => ({ name, svg: toAscii(svg) })) }
    : { markdown, charts };
}

function spelled<T>(value: T): T {
  if (typeof value === 'string') return toAscii(value) as T;
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(spelled) as T;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [toAscii(key), spelled(inner)])) as T;
}
