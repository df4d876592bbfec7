import { useEffect, useRef, useState } from 'preact/hooks';
import { ErrorText } from './error-text.tsx';
import { Logo } from './icons.tsx';
import { signIn, signInError } from './session.ts';

/** Asks for the admin key. The board answers with a cookie; the key itself is kept nowhere. */
export function SignIn() {
  const [key, setKey] = useState('');
  const input = useRef<HTMLInputElement>(null);
  // There is nothing else to do here.
  useEffect(() => input.current?.focus(), []);
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    await signIn({ key: key.trim() });
    setBusy(false);
  };
  return (
    <main class="sign-in">
      <form class="panel" onSubmit={(event) => void submit(event)}>
        <div class="brand">
          <Logo />
          <h1>MagMoBo</h1>
        </div>
        <p class="muted">{location.host}</p>
        {/* For password managers, which want a name to keep the key under. */}
        <input
          class="hidden"
          name="username"
          autocomplete="username"
          value="admin"
          tabIndex={-1}
          aria-hidden
          readOnly
        />
        <label>
          Admin key
          <input
            ref={input}
            type="password"
            name="key"
            required
            autocomplete="current-password"
            spellcheck={false}
            value={key}
            aria-invalid={signInError.value !== null}
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </label>
        {signInError.value !== null && <ErrorText error={signInError.value} />}
        <button type="submit" class="primary wide" disabled={busy}>
          {busy ? 'Signing in…' : 'Sign in'}
        </button>
        <p class="muted small">
          The board prints it on its first start. <code>mag start</code> also prints a link that signs you in.
        </p>
      </form>
    </main>
  );
}
