import type { Credential, IssuedCredential } from '../protocol/credentials.ts';
import type { BoardClient } from './board-client.ts';
import { positionals } from './options.ts';
import { renderTable } from './table.ts';

/** One of `mag project`'s ways to deal with the users of a project's database for tools beside the board. */
export interface CredentialCall {
  readonly board: BoardClient;
  /** What stands behind the action. */
  readonly given: readonly string[];
  readonly name: string;
  readonly write: boolean;
  print(value: unknown, human: () => string): void;
}

const pathOf = (ref: string, id?: string): string =>
  `/admin/v1/projects/${encodeURIComponent(ref)}/credentials${id === undefined ? '' : `/${encodeURIComponent(id)}`}`;

const show = ({ id, mode, url }: IssuedCredential): string =>
  `${url}\n(${mode}; credential ${id}; its password is not shown again)\n`;

// The admin API's replies have the shapes of protocol/credentials.ts.
export const CREDENTIAL_ACTIONS: Readonly<Record<string, (call: CredentialCall) => Promise<void>>> = {
  connect: async ({ board, given, name, write, print }) => {
    const [ref] = positionals(given, 'REF');
    const body = { name, mode: write ? 'write' : 'read' };
    const issued = (await board.request(pathOf(ref), { method: 'POST', body })) as IssuedCredential;
    print(issued, () => show(issued));
  },
  credentials: async ({ board, given, print }) => {
    const [ref] = positionals(given, 'REF');
    const list = (await board.request(pathOf(ref))) as readonly Credential[];
    const rows = list.map(({ id, name, mode, createdAt, rotatedAt }) => [
      id,
      name,
      mode,
      createdAt,
      rotatedAt,
    ]);
    print(list, () => renderTable(['id', 'name', 'mode', 'created', 'rotated'], rows));
  },
  reissue: async ({ board, given, print }) => {
    const [ref, id] = positionals(given, 'REF', 'ID');
    const issued = (await board.request(`${pathOf(ref, id)}/rotate`, { method: 'POST' })) as IssuedCredential;
    print(issued, () => show(issued));
  },
  disconnect: async ({ board, given, print }) => {
    const [ref, id] = positionals(given, 'REF', 'ID');
    await board.request(pathOf(ref, id), { method: 'DELETE' });
    print({ ref, id, revoked: true }, () => `credential ${id} is revoked\n`);
  },
};
