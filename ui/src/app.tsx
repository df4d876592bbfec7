import { useSignalEffect } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { ActorDetail } from './actor-detail.tsx';
import { api } from './api.ts';
import { EventLog } from './event-log.tsx';
import { Header } from './header.tsx';
import { Projects } from './projects.tsx';
import { view } from './route.ts';
import { connectScope } from './scope-link.ts';
import { session } from './session.ts';
import { SignIn } from './sign-in.tsx';
import { board, tickClock, totals } from './store.ts';
import { filterId, TreeView } from './tree-view.tsx';

async function readStatus(): Promise<void> {
  try {
    board.value = await api.status();
  } catch {
    // The link's own state says that the board is out of reach.
    board.value = null;
  }
}

/** `/` goes to the filter from anywhere but a field. */
function onSlash(event: KeyboardEvent): void {
  const typing = event.target instanceof Element && event.target.closest('input, textarea, select, dialog');
  if (event.key !== '/' || event.ctrlKey || event.metaKey || typing) return;
  const field = document.getElementById(filterId);
  if (field === null) return;
  event.preventDefault();
  field.focus();
}

function Board() {
  useEffect(() => {
    const disconnect = connectScope();
    void readStatus();
    const polling = setInterval(() => void readStatus(), 5_000);
    const ticking = setInterval(tickClock, 1_000);
    document.addEventListener('keydown', onSlash);
    return () => {
      disconnect();
      clearInterval(polling);
      clearInterval(ticking);
      document.removeEventListener('keydown', onSlash);
    };
  }, []);
  useSignalEffect(() => {
    const { unsettled } = totals.value;
    document.title = unsettled > 0 ? `(${unsettled}) MagMoBo` : 'MagMoBo';
  });
  return (
    <>
      <Header />
      {view.value === 'projects' ? (
        <main class="one">
          <Projects />
        </main>
      ) : (
        <main class="two">
          <TreeView />
          <ActorDetail />
          <EventLog />
        </main>
      )}
    </>
  );
}

export function App() {
  if (session.value === 'unknown') return <main class="sign-in" aria-busy="true" />;
  return session.value === 'signed_in' ? <Board /> : <SignIn />;
}
