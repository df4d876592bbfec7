import { useState } from 'preact/hooks';
import { ENGINE_KINDS, type EngineAvailability, type ProjectView } from '../../src/protocol/project.ts';
import { type ApiError, api } from './api.ts';
import { asApiError, ErrorText } from './error-text.tsx';

interface Props {
  readonly engines: readonly EngineAvailability[];
  readonly onCreated: (project: ProjectView) => void;
}

/** Creates a project on one of the engines that this board has. */
export function ProjectForm({ engines, onCreated }: Props) {
  const [name, setName] = useState('');
  const [engine, setEngine] = useState('sqlite');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const kind = ENGINE_KINDS.find((known) => known === engine);
    if (kind === undefined) return;
    setBusy(true);
    setError(null);
    try {
      onCreated(await api.createProject(name.trim(), kind));
      setName('');
    } catch (cause) {
      setError(asApiError(cause));
    } finally {
      setBusy(false);
    }
  };

  return (
    <form class="project-form" onSubmit={(event) => void submit(event)} aria-label="New project">
      <label>
        Name
        <input
          name="name"
          required
          maxLength={63}
          autocomplete="off"
          spellcheck={false}
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <label>
        Engine
        <select name="engine" value={engine} onChange={(event) => setEngine(event.currentTarget.value)}>
          {engines.map((option) => (
            <option key={option.engine} value={option.engine} disabled={!option.available}>
              {option.engine}
              {option.available ? ` – ${option.provider ?? ''}` : ` – ${option.why ?? 'not available'}`}
            </option>
          ))}
        </select>
      </label>
      <button type="submit" class="primary" disabled={busy || engines.length === 0}>
        {busy ? 'Creating…' : 'Create project'}
      </button>
      {error !== null && <ErrorText error={error} />}
    </form>
  );
}
