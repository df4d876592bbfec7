import { describe, expect, it } from 'vitest';
import { GateMetrics } from '../../src/actors/gate/gate-metrics.ts';
import { renderPrometheus } from '../../src/protocol/metrics.ts';

describe('the exposition format', () => {
  it('prints counters with escaped labels', () => {
    const text = renderPrometheus([
      {
        name: 'mag_requests_total',
        help: 'Requests.\nSecond line',
        type: 'counter',
        samples: [{ labels: { path: 'a"b\\c' }, value: 3 }, { value: 0.5 }],
      },
    ]);
    expect(text).toBe(
      '# HELP mag_requests_total Requests.\\nSecond line\n# TYPE mag_requests_total counter\n' +
        'mag_requests_total{path="a\\"b\\\\c"} 3\nmag_requests_total 0.5\n',
    );
  });

  it('cumulates the buckets of a histogram', () => {
    const text = renderPrometheus([
      {
        name: 'mag_seconds',
        help: 'Latency.',
        type: 'histogram',
        bounds: [0.1, 1],
        samples: [{ labels: { route: 'rest' }, buckets: [2, 1, 4], sum: 9 }],
      },
    ]);
    expect(text.split('\n').slice(2, 7)).toEqual([
      'mag_seconds_bucket{route="rest",le="0.1"} 2',
      'mag_seconds_bucket{route="rest",le="1"} 3',
      'mag_seconds_bucket{route="rest",le="+Inf"} 7',
      'mag_seconds_sum{route="rest"} 9',
      'mag_seconds_count{route="rest"} 7',
    ]);
  });
});

describe("the gate's counters", () => {
  it('sort replies by route, status and latency', () => {
    const metrics = new GateMetrics();
    metrics.count('rest', 200, 0.4);
    metrics.count('rest', 206, 3);
    metrics.count('rest', 503, 60_000);
    const { routes } = metrics.read({
      ...{ sockets: 1, halfOpen: 0, uptimeSeconds: 2 },
      turns: { waiting: 0, waited: 0, refused: 0 },
    });
    expect(routes.rest.statuses).toEqual([0, 0, 2, 0, 0, 1]);
    expect(routes.rest.buckets[0]).toBe(1);
    expect(routes.rest.buckets[2]).toBe(1);
    expect(routes.rest.buckets.at(-1)).toBe(1);
    expect(routes.admin.statuses).toEqual([0, 0, 0, 0, 0, 0]);
  });
});
