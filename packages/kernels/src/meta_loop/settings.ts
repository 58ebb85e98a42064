import { is, type KernelContext } from '@grace/kernel-sdk';
import type { Limits } from './tune/tuner.ts';

export interface Settings extends Limits {
  /** Between two evaluations of its own accord. */
  evaluateMs: number;
  /** So many incidents closed ask for one at once. */
  incidents: number;
  /** Between what asks for an evaluation and the evaluation: incidents close many close together. */
  settleMs: number;
  /** How far back an evaluation looks that names no window. */
  windowMs: number;
  /** Whether it asks for permission and turns knobs by itself; false: it only proposes. */
  automatic: boolean;
}

const HOUR_MS = 3_600_000;

/** @throws GraceError `BAD_INPUT` naming the setting and what was expected */
export function readSettings({ config }: Pick<KernelContext, 'config'>): Settings {
  const number = (name: string, fallback: number, min: number, max: number): number =>
    is.optional(is.number({ min, max, integer: true }))(config[name], `config.${name}`) ?? fallback;
  return {
    evaluateMs: number('evaluateMs', 300_000, 100, 24 * HOUR_MS),
    incidents: number('incidents', 5, 1, 1000),
    settleMs: number('settleMs', 2000, 10, 60_000),
    windowMs: number('windowMs', 7 * 24 * HOUR_MS, 60_000, 366 * 24 * HOUR_MS),
    automatic: is.optional(is.boolean())(config['automatic'], 'config.automatic') ?? true,
    perDay: number('perDay', 4, 0, 100),
    coolDownMs: number('coolDownMs', 6 * HOUR_MS, 0, 30 * 24 * HOUR_MS),
    watchMs: number('watchMs', 24 * HOUR_MS, 100, 30 * 24 * HOUR_MS),
  };
}
