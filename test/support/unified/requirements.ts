import { type Bag, bags, strings } from './bag.ts';

/** What a server says of itself. */
export interface Server {
  readonly version: string;
  readonly topology: 'single' | 'replicaset';
}

/** Orders `7.0` before `7.0.5`. */
function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split('.').map(Number));
  for (let index = 0; index < 3; index += 1) {
    const difference = (left?.[index] ?? 0) - (right?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function problem(wanted: Bag, { version, topology }: Server): string | null {
  const { minServerVersion: least, maxServerVersion: most, topologies, auth, serverless, csfle } = wanted;
  if (least !== undefined && compareVersions(version, String(least)) < 0)
    return `a server from ${String(least)} on`;
  if (most !== undefined && compareVersions(version, String(most)) > 0)
    return `a server up to ${String(most)}`;
  if (topologies !== undefined && !strings(topologies).includes(topology))
    return `the topology ${strings(topologies).join(' or ')}`;
  if (auth === false) return 'a server without authentication';
  if (serverless === 'require') return 'a serverless proxy';
  return csfle === undefined || csfle === false ? null : 'client-side encryption';
}

/** What a test needs and there is not, or null where one of its alternatives is met. */
export function unmet(requirements: unknown, server: Server): string | null {
  const problems = bags(requirements).map((each) => problem(each, server));
  return problems.length === 0 || problems.includes(null) ? null : `it needs ${problems[0] ?? ''}`;
}
