import { useState } from 'preact/hooks';

/** Copies a text; says so for a moment, also to a screen reader through its changed name. */
export function CopyButton({ text, what }: { text: string; what: string }) {
  const [done, setDone] = useState<'no' | 'yes' | 'refused'>('no');
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setDone('yes');
    } catch {
      // Browsers refuse it on plain HTTP from another host.
      setDone('refused');
    }
    setTimeout(() => setDone('no'), 1_600);
  };
  const label = { no: 'Copy', yes: 'Copied', refused: 'Not allowed' }[done];
  return (
    <button type="button" class="quiet copy" aria-label={`${label}: ${what}`} onClick={() => void copy()}>
      {label}
    </button>
  );
}
