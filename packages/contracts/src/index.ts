/**
 * @module
 * The words Grace is written in: manifests, lifecycle, wire messages, events, errors. No I/O, and nothing heavy: every kernel thread
 * loads parts of it. The schemas of configuration files, which need a validator, live in `@grace/contracts/config`.
 */
export * from './clock.ts';
export * from './envelope.ts';
export * from './errors.ts';
export * from './event-names.ts';
export * from './events.ts';
export * from './fault.ts';
export * from './incident.ts';
export * from './laboratory-records.ts';
export * from './lifecycle.ts';
export * from './limits.ts';
export * from './manifest.ts';
export * from './nearest.ts';
export * from './plan.ts';
export { SECRET_LENGTH_MIN } from './redact/forms.ts';
export { REDACTED } from './redact/names.ts';
export { createRedactor, type RedactedStream, type Redactor } from './redact/redactor.ts';
export * from './status.ts';
export * from './telemetry.ts';
export * from './token.ts';
export * from './tune.ts';
export * from './units.ts';
export * from './verdict.ts';
export * from './wire/cell.ts';
export * from './wire/client.ts';
export * from './wire/frame.ts';
export * from './wire/thread.ts';
