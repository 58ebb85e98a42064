/**
 * @module
 * The chaos laboratory: scenarios, waves, and verdicts as a pure function of the journal. The run itself is a process of its own
 * (`main.ts`); what others import is data in, data out.
 */
export type { RunnerOptions } from './options.ts';
export type { PlannedWaveView, Progress, TrialPhase } from './progress.ts';
export { explainScenario } from './scenario/explain.ts';
export { listScenarios } from './scenario/list.ts';
export { parseScenario } from './scenario/parse.ts';
export type { Scenario, Variant } from './scenario/scenario.ts';
export { judgeRun } from './verdict/judge-run.ts';
export { type PlannedWave, planWaves } from './wave/plan.ts';
