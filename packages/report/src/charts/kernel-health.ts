import type { ReportModel } from '../model.ts';
import { instant, plural } from '../text/units.ts';
import type { Chart } from './chart.ts';
import { faultWindows } from './fault-windows.ts';
import { axis, timeScale } from './scale.ts';
import { bar, drawing, label, legend, WIDTH, write } from './svg.ts';

const LEFT = 190;
const RIGHT = WIDTH - 90;
const ROW = 18;
const TOP = 64;

const MEANING = { up: 'running', noticed: 'running, but noticed', starting: 'starting', down: 'down' } as const;

/** Kernels by time: one strip each, with the windows of the faults behind them. */
export function kernelHealth(model: ReportModel): Chart | null {
  const strips = model.kernels.filter((kernel) => kernel.spans.length > 0);
  const endMs = strips.flatMap((strip) => strip.spans.map((span) => span.toMs)).reduce((a, b) => Math.max(a, b), 0);
  if (strips.length === 0 || endMs <= 0) return null;
  const x = timeScale(0, endMs, LEFT, RIGHT);
  const bottom = TOP + strips.length * ROW;
  const faults = faultWindows(model, x, TOP - 8, 5);
  const rows = strips.flatMap((strip, at) => {
    const top = TOP + at * ROW;
    return [
      write(16, top + 13, label(strip.id, LEFT - 24)),
      ...strip.spans.map((span) =>
        bar(
          x(span.fromMs),
          top + 3,
          x(span.toMs) - x(span.fromMs),
          ROW - 6,
          span.state,
          `${strip.id} ${MEANING[span.state]} from ${instant(span.fromMs)} to ${instant(span.toMs)}`,
        ),
      ),
      write(RIGHT + 8, top + 13, plural(strip.restarts, 'restart'), 'dim'),
    ];
  });
  const running = strips.filter((strip) => strip.final === 'running').length;
  return {
    name: 'kernel-health.svg',
    svg: drawing(
      'Kernels over the run',
      `${strips.length} kernels, ${running} running at the end. ${strips.map((strip) => `${strip.id}: ${plural(strip.restarts, 'restart')}, last state ${strip.final}.`).join(' ')}`,
      bottom + 28,
      [
        legend(16, 46, [
          [{ swatch: 'up' }, MEANING.up],
          [{ swatch: 'noticed' }, MEANING.noticed],
          [{ swatch: 'starting' }, MEANING.starting],
          [{ swatch: 'down' }, MEANING.down],
          [{ swatch: 'fault' }, 'a fault acts'],
        ]),
        ...axis(x, TOP, bottom),
        ...faults,
        ...rows,
      ],
    ),
  };
}
