/** How a declared column type behaves: SQLite's affinity, and what clients expect beyond it. */
export type ColumnKind = 'boolean' | 'json' | 'integer' | 'real' | 'text' | 'blob' | 'numeric' | 'any';

/** SQLite's affinity rules (datatype3.html §3.1), with BOOLEAN and JSON told apart first. */
export function columnKind(declaredType: string): ColumnKind {
  const type = declaredType.toUpperCase();
  if (type === '' || type === 'ANY') return 'any';
  if (type.startsWith('BOOL')) return 'boolean';
  if (type === 'JSON' || type === 'JSONB') return 'json';
  if (type.includes('INT')) return 'integer';
  if (/CHAR|CLOB|TEXT/.test(type)) return 'text';
  if (type.includes('BLOB') || type === 'BYTEA') return 'blob';
  if (/REAL|FLOA|DOUB/.test(type)) return 'real';
  return 'numeric';
}
