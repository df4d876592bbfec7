/** What a supervisor's chart that ended in `failed` says of it. */
export function failureOf(snapshot: unknown): { readonly error: unknown; readonly gaveUp: boolean } | null {
  if (typeof snapshot !== 'object' || snapshot === null || !('value' in snapshot) || !('context' in snapshot))
    return null;
  const { context, value } = snapshot;
  if (value !== 'failed' || typeof context !== 'object' || context === null || !('error' in context))
    return null;
  return { error: context.error, gaveUp: 'gaveUp' in context && context.gaveUp === true };
}
