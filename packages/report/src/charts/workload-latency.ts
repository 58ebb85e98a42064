import type { ReportModel, WorkloadPoint } from '../model.ts';
import { duration } from '../text/units.ts';
import type { Chart } from './chart.ts';
import { faultWindows } from './fault-windows.ts';
import { axis, logScale, timeScale } from './scale.ts';
import { bar, curve, drawing, legend, rule, WIDTH, write } from './svg.ts';

const LEFT = 60;
const RIGHT = WIDTH - 20;
const TOP = 60;
const BOTTOM = 240;
/** More points than this are drawn as the worst of their neighbours. */
const MOST = 400;

/** p99 of the workload's calls over time, behind it the windows in which a fault acted. */
export function workloadLatency(model: ReportModel): Chart | null {
  const points = worst(model.workload.filter((point) => Number.isFinite(point.p99Ms) && point.p99Ms >= 0));
  if (points.length < 2) return null;
  const x = timeScale(points[0]!.fromMs, points.at(-1)!.toMs, LEFT, RIGHT);
  const values = points.map((point) => point.p99Ms);
  const highest = values.reduce((a, b) => Math.max(a, b));
  const lowest = values.reduce((a, b) => Math.min(a, b));
  const y = logScale(lowest, highest, BOTTOM, TOP);
  const faults = faultWindows(model, x, TOP, BOTTOM - TOP);
  return {
    name: 'workload-latency.svg',
    svg: drawing(
      'Workload latency, p99',
      `p99 latency of the synthetic workload from ${duration(lowest)} to ${duration(highest)} over ${points.length} points.`,
      BOTTOM + 28,
      [
        legend(16, 46, [
          [{ swatch: 'detect' }, 'p99, logarithmic'],
          [{ swatch: 'fault' }, 'a fault acts'],
          [{ swatch: 'down' }, 'messages lost or calls failed'],
        ]),
        ...faults,
        ...axis(x, TOP, BOTTOM),
        ...y.ticks.flatMap(({ value, label }) => [
          rule(LEFT, y(value), RIGHT, y(value)),
          write(LEFT - 6, y(value) + 4, label, 'dim', 'end'),
        ]),
        curve(points.map((point) => [x((point.fromMs + point.toMs) / 2), y(point.p99Ms)] as const)),
        ...points
          .filter((point) => point.lost > 0 || point.failed > 0)
          .map((point) =>
            bar(
              x((point.fromMs + point.toMs) / 2) - 1.5,
              BOTTOM - 8,
              3,
              8,
              'down',
              `${point.lost} lost, ${point.failed} failed`,
            ),
          ),
      ],
    ),
  };
}

function worst(points: readonly WorkloadPoint[]): WorkloadPoint[] {
  const size = Math.max(1, Math.ceil(points.length / MOST));
  if (size === 1) return [...points];
  const merged: WorkloadPoint[] = [];
  for (let at = 0; at < points.length; at += size) {
    const group = points.slice(at, at + size);
    merged.push({
      ...group[0]!,
      toMs: group.at(-1)!.toMs,
      p99Ms: group.reduce((most, point) => Math.max(most, point.p99Ms), 0),
      lost: group.reduce((sum, point) => sum + point.lost, 0),
      failed: group.reduce((sum, point) => sum + point.failed, 0),
    });
  }
  return merged;
}
