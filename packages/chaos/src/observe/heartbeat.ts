import { MANIFEST_DEFAULTS, SETTINGS_DEFAULTS } from '@grace/contracts';

/**
 * A heartbeat older than this is not fresh, ms. A status answer may rest on a sample that is itself one interval old, so what is late by
 * less may be over already.
 */
export const HEARTBEAT_STALE_MS = MANIFEST_DEFAULTS.lateAfterMs + SETTINGS_DEFAULTS.sampleMs + 200;
