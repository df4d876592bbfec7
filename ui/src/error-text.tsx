import { ApiError } from './api.ts';

export const asApiError = (error: unknown): ApiError =>
  error instanceof ApiError ? error : new ApiError(0, 'UNEXPECTED', String(error), null);

/** An error of the board with its code, announced at once. */
export function ErrorText({ error }: { error: ApiError }) {
  return (
    <p class="error" role="alert">
      <code>{error.code}</code> {error.message}
      {error.hint !== null && <span class="hint"> {error.hint}</span>}
    </p>
  );
}
