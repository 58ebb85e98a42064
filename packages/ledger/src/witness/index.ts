/**
 * @module
 * The witness of a transparency log: its process, and how a log asks one. C2SP tlog-witness and tlog-cosignature.
 */
export { WitnessCosigner, type WitnessStatus } from './cosigner.ts';
export { WitnessProcess, type WitnessProcessOptions } from './process.ts';
