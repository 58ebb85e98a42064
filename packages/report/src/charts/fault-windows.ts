import type { ReportModel } from '../model.ts';
import type { Scale } from './scale.ts';
import { bar } from './svg.ts';

/** The times in which a fault acted, as bars of one height. */
export function faultWindows(model: ReportModel, x: Scale, top: number, height: number): string[] {
  return model.waves
    .flatMap((wave) => wave.trials)
    .flatMap((trial) => {
      const from = trial.at.injectedMs;
      const to = trial.at.undoneMs ?? trial.endMs;
      if (from === null || to === null) return [];
      return [
        bar(x(from), top, x(Math.max(from, to)) - x(from), height, 'fault', `${trial.scenario} on ${trial.target}`),
      ];
    });
}
