import { MANIFEST_DEFAULTS, SETTINGS_DEFAULTS } from '@grace/contracts';

/**
 * A heartbeat older than this is not fresh, ms. A status answer adds the age of its own sample to that of the beat, and a sample may be
 * one interval old, so a healthy kernel shows up to `sampleMs` and a beat.
 */
export const HEARTBEAT_STALE_MS = MANIFEST_DEFAULTS.lateAfterMs + SETTINGS_DEFAULTS.sampleMs + 200;
