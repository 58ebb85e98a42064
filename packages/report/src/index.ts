/**
 * @module
 * A run of the laboratory, told: journal and verdicts in, a model of everything that can be said out, and that model as Markdown with
 * charts or as JSON. Pure: no clock, no locale, no randomness, no I/O; the same input gives the same bytes.
 */
export { buildReport, type ReportInput } from './build.ts';
export type { Chart } from './charts/chart.ts';
export { renderJson } from './json/report-json.ts';
export { type MarkdownReport, renderMarkdown } from './markdown/render.ts';
export type { ReportModel } from './model.ts';
