import type { ProjectSettings } from '../../protocol/project.ts';

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * The settings that a change of some of them makes, not checked yet: what it does not name stays, and null takes one
 * away (RFC 7396). Lists are replaced whole. What is no object is handed on, to be refused as it is.
 */
export function mergeSettings(current: ProjectSettings, change: unknown): unknown {
  if (!isRecord(change)) return change;
  const merged = { ...current, ...change };
  const kept = Object.entries(merged).filter(([, value]) => value !== null);
  return { grants: [], ...Object.fromEntries(kept) };
}
