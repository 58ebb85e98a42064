/**
 * @module
 * The bus as kernels and outside clients use it. The same promises on every wire; see docs/bus.md.
 */
export { type BusClientOptions, createBusClient } from './client.ts';
export type * from './types.ts';
