/** Prometheus text exposition format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/ */
export type Labels = Readonly<Record<string, string>>;

export interface Family {
  name: string;
  help: string;
  type: 'counter' | 'gauge';
  /** Null: not known at this moment, so not told. */
  samples: readonly { labels?: Labels; value: number | null }[];
}

export interface HistogramFamily {
  name: string;
  help: string;
  type: 'histogram';
  /** `buckets`: upper bound -> how many were at most that; cumulated, ascending, without `+Inf`, which is `count`. */
  samples: readonly {
    labels?: Labels;
    buckets: readonly [bound: number, count: number][];
    sum: number;
    count: number;
  }[];
}

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** The families as text; what has no samples is left out. */
export function exposition(families: readonly (Family | HistogramFamily)[]): string {
  return families.map(familyText).join('');
}

function familyText(family: Family | HistogramFamily): string {
  const { name } = family;
  const lines =
    family.type === 'histogram'
      ? family.samples.flatMap(({ labels = {}, buckets, sum, count }) => [
          ...buckets.map(([bound, upTo]) => line(`${name}_bucket`, { ...labels, le: figure(bound) }, upTo)),
          line(`${name}_bucket`, { ...labels, le: '+Inf' }, count),
          line(`${name}_sum`, labels, sum),
          line(`${name}_count`, labels, count),
        ])
      : family.samples.flatMap(({ labels = {}, value }) => (value === null ? [] : [line(name, labels, value)]));
  if (lines.length === 0) return '';
  return `# HELP ${name} ${escapeHelp(family.help)}\n# TYPE ${name} ${family.type}\n${lines.join('')}`;
}

function line(name: string, labels: Labels, value: number): string {
  const inner = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}${inner.length > 0 ? `{${inner.join(',')}}` : ''} ${figure(value)}\n`;
}

function figure(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"');
