import { LIMITS } from '../../limits.ts';

const KEYS = /mag_(anon|service|admin|session|ticket)_[A-Za-z0-9_.-]{8,}/g;
const URL_PASSWORD = /([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s@/]+@/gi;

/** Text for the audit trail: bounded, and without keys, tokens and passwords that stand in URLs. */
export const redact = (text: string): string =>
  text.slice(0, LIMITS.errorTextBytes).replace(KEYS, 'mag_$1_…').replace(URL_PASSWORD, '$1:…@');
