/**
 * @module
 * The broker, for the thread that runs it; see docs/bus.md.
 */
export { createBroker } from './broker.ts';
export type * from './types.ts';
