import { render } from 'preact';
import { App } from './app.tsx';
import { startRoutes } from './route.ts';
import { startSession } from './session.ts';
import { applyTheme } from './theme.ts';
import './styles/base.css';
import './styles/layout.css';
import './styles/tree.css';
import './styles/detail.css';
import './styles/projects.css';

applyTheme();
startRoutes();
void startSession();
const root = document.getElementById('app');
if (root !== null) render(<App />, root);
