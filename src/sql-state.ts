/** PostgREST's mapping of SQLSTATE to HTTP status, except that bad input is never a 500. */
export function statusOfSqlState(state: string): number {
  if (state.startsWith('PT')) return statusOfRaise(state.slice(2));
  if (state === '23503' || state === '23505') return 409;
  if (state === '42P01' || state === '42883') return 404;
  if (state === '42501') return 403;
  if (state === '57014') return 504;
  if (state === '25006') return 405;
  // An I/O error is the disk's, not the code's: a retry may work once the operator mended it.
  if (state === '58030') return 503;
  // The statement needs more than its project may use, such as temporary files: trying again does not help.
  if (state === '53400') return 413;
  if (state.startsWith('08') || state.startsWith('53') || state.startsWith('57P')) return 503;
  if (state.startsWith('28')) return 403;
  if (state.startsWith('58') || state.startsWith('XX')) return 500;
  return 400;
}

/** `RAISE SQLSTATE 'PT402'` names its status itself. Others than a whole reply may have are the author's fault, and not the client's. */
function statusOfRaise(text: string): number {
  const status = Number(text);
  return /^\d{3}$/.test(text) && status >= 200 && status <= 599 ? status : 500;
}
