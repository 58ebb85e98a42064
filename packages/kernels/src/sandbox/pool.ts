/**
 * @module
 * Runs in the threads of the pool; its twin in the kernel's thread is evaluate/evaluator.ts.
 */
export { evaluate } from './evaluate/quickjs.ts';
