import { MagError } from '../../errors.ts';

/**
 * Holds given settings to their least values; what was not given has its default. A bound of no number bounds nothing:
 * a call would wait, or be tried again, for ever. Throws MAG_CONFIG_INVALID.
 */
export function checkSettings<Options extends object>(
  options: Options,
  least: Readonly<Partial<Record<keyof Options & string, number>>>,
): void {
  for (const [setting, bound] of Object.entries<number | undefined>(least)) {
    const value: unknown = options[setting as keyof Options]; // a key of `least`
    if (value === undefined || bound === undefined) continue;
    if (typeof value !== 'number' || !(value >= bound))
      throw new MagError('MAG_CONFIG_INVALID', {
        setting,
        problem: `${String(value)} is less than ${bound}`,
      });
  }
}
