/**
 * @module
 * The supervisor and the cell agent. The processes are started from their bundled entries; what is exported here is for tests of the
 * decision core and for tools that replay it.
 */
export { decide } from './core/decide.ts';
export type { Command, CoreEvent } from './core/events.ts';
export { initialState } from './core/initial.ts';
export type { CoreState } from './core/state.ts';
export { classify, type Judgement, type JudgementContext } from './judge/classify.ts';
