import { existsSync } from 'node:fs';
import { describeError } from '../errors.ts';

/** What scripts/build-ui.ts exports. It is no part of the package, so it can only be looked for. */
interface PageBuilder {
  buildUi(options: { readonly say: (line: string) => void }): Promise<unknown>;
}

/**
 * In a checkout, builds the console's page when its sources changed since the last build; a published package brings
 * the page along. The board is worth starting without its page, so a build that fails is only said.
 */
export async function freshPage(say: (line: string) => void): Promise<void> {
  const script = new URL('../../scripts/build-ui.ts', import.meta.url);
  if (!existsSync(script)) return;
  try {
    const { buildUi } = (await import(script.href)) as PageBuilder; // a module found by its address has no type
    await buildUi({ say });
  } catch (error) {
    say(`MagUI could not be built: ${describeError(error)}`);
  }
}
