/**
 * @module
 * The broker, for the thread that runs it; see docs/bus.md.
 */

export type { DurableOptions } from '../durable/options.ts';
export { createBroker } from './broker.ts';
export type * from './types.ts';
