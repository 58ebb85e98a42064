import { buildReport, type ReportInput, renderJson, renderMarkdown } from '../src/index.ts';
import type { FixtureOptions } from './fixture-options.ts';
import { runFixture } from './run-fixture.ts';

export function report(options: FixtureOptions = {}, more: Partial<ReportInput> = {}) {
  const fixture = runFixture(options);
  const model = buildReport({ ...fixture, ...more });
  return { ...fixture, model, ...renderMarkdown(model, { ascii: false }), json: JSON.parse(renderJson(model)) };
}
