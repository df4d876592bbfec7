/** The digits of a double's shortest text, and where its point stands: 1.25e3 is `125` and 3. */
function partsOf(value: number): { sign: string; digits: string; exponent: number } {
  const [mantissa = '', exponent = '0'] = Math.abs(value).toExponential().split('e');
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  return { sign, digits: mantissa.replace('.', ''), exponent: Number(exponent) };
}

function plainText(digits: string, exponent: number): string {
  if (exponent < 0) return `0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  const rest = digits.slice(exponent + 1);
  return rest === '' ? whole : `${whole}.${rest}`;
}

const endless = (value: number): string =>
  Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';

/** A double as PostgreSQL writes a float8: shortest, with an exponent beyond 15 digits or 4 zeros behind the point. */
export function floatText(value: number): string {
  if (!Number.isFinite(value)) return endless(value);
  const { sign, digits, exponent } = partsOf(value);
  if (exponent >= -4 && exponent < 15) return `${sign}${plainText(digits, exponent)}`;
  const rest = digits.length > 1 ? `.${digits.slice(1)}` : '';
  const power = String(Math.abs(exponent)).padStart(2, '0');
  return `${sign}${digits[0]}${rest}e${exponent < 0 ? '-' : '+'}${power}`;
}

/** The same number as PostgreSQL writes a numeric: never with an exponent. */
export function numericText(value: number | bigint): string {
  if (typeof value === 'bigint') return String(value);
  if (!Number.isFinite(value)) return endless(value);
  const { sign, digits, exponent } = partsOf(value);
  return `${value === 0 ? '' : sign}${plainText(digits, exponent)}`;
}
