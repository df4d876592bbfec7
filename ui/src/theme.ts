import { signal } from '@preact/signals';

export type Theme = 'auto' | 'light' | 'dark';

const KEY = 'magmobo.theme';
const ORDER: readonly Theme[] = ['auto', 'light', 'dark'];

const stored = (): Theme => {
  try {
    const value = localStorage.getItem(KEY);
    return ORDER.find((theme) => theme === value) ?? 'auto';
  } catch {
    return 'auto';
  }
};

export const theme = signal<Theme>(stored());

/** `auto` follows the system; the others override it through `data-theme`. */
export function applyTheme(): void {
  const root = document.documentElement;
  if (theme.value === 'auto') delete root.dataset.theme;
  else root.dataset.theme = theme.value;
}

export function nextTheme(): void {
  theme.value = ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length] ?? 'auto';
  try {
    localStorage.setItem(KEY, theme.value);
  } catch {
    // Kept for this visit only.
  }
  applyTheme();
}
