/** One value of a metric, with the labels that tell it from its siblings. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Counts per bucket, not cumulated: one per bound, and a last one for what is beyond them all. */
export interface HistogramSample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly buckets: readonly number[];
  readonly sum: number;
}

interface Named {
  readonly name: string;
  readonly help: string;
}

export type Metric =
  | (Named & { readonly type: 'counter' | 'gauge'; readonly samples: readonly Sample[] })
  | (Named & {
      readonly type: 'histogram';
      /** Upper bounds, ascending. */
      readonly bounds: readonly number[];
      readonly samples: readonly HistogramSample[];
    });

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"');

function printNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return Number.isNaN(value) ? 'NaN' : String(value);
}

function line(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${printNumber(value)}`;
}

function histogram(name: string, bounds: readonly number[], sample: HistogramSample): string[] {
  const lines: string[] = [];
  let seen = 0;
  for (const [index, count] of sample.buckets.entries()) {
    seen += count;
    const le = printNumber(bounds[index] ?? Number.POSITIVE_INFINITY);
    lines.push(line(`${name}_bucket`, { ...sample.labels, le }, seen));
  }
  lines.push(line(`${name}_sum`, sample.labels ?? {}, sample.sum));
  lines.push(line(`${name}_count`, sample.labels ?? {}, seen));
  return lines;
}

/** The Prometheus text exposition format, version 0.0.4. Names and label names must be valid already. */
export function renderPrometheus(metrics: readonly Metric[]): string {
  const lines: string[] = [];
  for (const metric of metrics) {
    lines.push(`# HELP ${metric.name} ${escapeHelp(metric.help)}`, `# TYPE ${metric.name} ${metric.type}`);
    if (metric.type === 'histogram') {
      for (const sample of metric.samples) lines.push(...histogram(metric.name, metric.bounds, sample));
    } else {
      for (const { labels, value } of metric.samples) lines.push(line(metric.name, labels ?? {}, value));
    }
  }
  return `${lines.join('\n')}\n`;
}
