import { judgeRun } from '@grace/chaos';
import type { AnyRecord, RunResult } from '@grace/contracts';
import { buildReport, renderJson, renderMarkdown } from '@grace/report';

export const FORMATS = ['md', 'json'] as const;
export type Format = (typeof FORMATS)[number];

/** What a report says beside its journal; kept in the folder, so that it can be rendered again without today's catalogue. */
export interface Catalogue {
  scenarios: { id: string; title: string; proves: string }[];
  allScenarioIds: string[];
}

export interface Rendered {
  result: RunResult;
  /** File name -> text. */
  files: Map<string, string>;
}

/** A pure function of the records: the same records give the same bytes. */
export function renderReport(
  records: readonly AnyRecord[],
  catalogue: Catalogue,
  formats: readonly Format[],
  options: { ascii: boolean; run?: string },
): Rendered {
  const result = judgeRun(records, options.run);
  const model = buildReport({ records, result, ...catalogue });
  const files = new Map<string, string>();
  if (formats.includes('md')) {
    const { markdown, charts } = renderMarkdown(model, { ascii: options.ascii });
    files.set('report.md', markdown);
    for (const { name, svg } of charts) files.set(name, svg);
  }
  if (formats.includes('json')) files.set('report.json', renderJson(model));
  return { result, files };
}
