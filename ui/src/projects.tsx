import { signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import type { EngineAvailability, ProjectView } from '../../src/protocol/project.ts';
import { type ApiError, api } from './api.ts';
import { CopyButton } from './copy-button.tsx';
import { Dialog } from './dialog.tsx';
import { asApiError, ErrorText } from './error-text.tsx';
import { ProjectForm } from './project-form.tsx';
import { checkSession } from './session.ts';

const projects = signal<readonly ProjectView[] | null>(null);
const engines = signal<readonly EngineAvailability[]>([]);
const failure = signal<ApiError | null>(null);

async function load(): Promise<void> {
  try {
    [projects.value, engines.value] = await Promise.all([api.projects(), api.engines()]);
    failure.value = null;
  } catch (error) {
    failure.value = asApiError(error);
    if (failure.value.status === 401) await checkSession();
  }
}

/** The keys of a new project: the board shows them in this one reply. */
function NewKeys({ project, onClose }: { project: ProjectView; onClose: () => void }) {
  if (project.keys === undefined) return null;
  return (
    <div class="new-keys" role="status">
      <p>
        <strong>{project.name}</strong> is ready. Keep its keys now; <code>mag project keys</code> can show
        them again.
      </p>
      <dl>
        {Object.entries(project.keys).map(([role, key]) => (
          <div class="fact" key={role}>
            <dt>{role}</dt>
            <dd>
              <code>{key}</code> <CopyButton text={key} what={`the ${role} key`} />
            </dd>
          </div>
        ))}
      </dl>
      <button type="button" class="quiet" onClick={onClose}>
        Hide the keys
      </button>
    </div>
  );
}

function Line({ project, onDelete }: { project: ProjectView; onDelete: () => void }) {
  return (
    <tr>
      <th scope="row">
        {project.name} <code class="muted">{project.ref}</code>
      </th>
      <td data-label="Engine">{project.engine}</td>
      <td data-label="Status">
        <span class={`badge project-${project.status}`}>{project.status}</span>
      </td>
      <td data-label="URL" class="url">
        <code>{project.url}</code>
        <CopyButton text={project.url} what={`the URL of ${project.name}`} />
      </td>
      <td class="right">
        <button type="button" class="quiet" aria-label={`Delete ${project.name}…`} onClick={onDelete}>
          Delete…
        </button>
      </td>
    </tr>
  );
}

function Table({ onDelete }: { onDelete: (project: ProjectView) => void }) {
  const all = projects.value;
  if (all === null) return <div class="empty">{failure.value === null ? 'Loading the projects…' : ''}</div>;
  if (all.length === 0) return <div class="empty">No project yet. Create the first one above.</div>;
  return (
    <table class="projects">
      <thead>
        <tr>
          <th scope="col">Project</th>
          <th scope="col">Engine</th>
          <th scope="col">Status</th>
          <th scope="col">URL</th>
          <th scope="col">
            <span class="hidden">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {all.map((project) => (
          <Line key={project.ref} project={project} onDelete={() => onDelete(project)} />
        ))}
      </tbody>
    </table>
  );
}

/** The board's projects: list, create, delete. */
export function Projects() {
  const [created, setCreated] = useState<ProjectView | null>(null);
  const [doomed, setDoomed] = useState<ProjectView | null>(null);
  useEffect(() => {
    void load();
    const timer = setInterval(() => void load(), 5_000);
    return () => clearInterval(timer);
  }, []);

  const remove = async (project: ProjectView): Promise<void> => {
    setDoomed(null);
    try {
      await api.deleteProject(project.ref);
      if (created?.ref === project.ref) setCreated(null);
      await load();
    } catch (error) {
      failure.value = asApiError(error);
    }
  };

  return (
    <section class="panel projects-panel" aria-labelledby="projects-title">
      <header class="panel-head">
        <h2 id="projects-title">Projects</h2>
      </header>
      <ProjectForm
        engines={engines.value}
        onCreated={(project) => {
          setCreated(project);
          void load();
        }}
      />
      {failure.value !== null && <ErrorText error={failure.value} />}
      {created !== null && <NewKeys project={created} onClose={() => setCreated(null)} />}
      <Table onDelete={setDoomed} />
      {doomed !== null && (
        <Dialog
          title={`Delete ${doomed.name}?`}
          confirm="Delete it"
          danger
          onClose={() => setDoomed(null)}
          onConfirm={() => void remove(doomed)}
        >
          <p>
            Its database on {doomed.engine} is dropped with all rows, and its keys stop working. This cannot
            be undone.
          </p>
        </Dialog>
      )}
    </section>
  );
}
