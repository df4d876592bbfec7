import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseSync } from 'oxc-parser';

export const ROOT = resolve(import.meta.dirname, '../..');

export interface SourceFile {
  /** Relative to the repository. */
  readonly path: string;
  readonly text: string;
}

/** Files git tracks or would track, below one of the folders, with one of the endings. */
export function sourceFiles(folders: readonly string[], endings: readonly string[]): readonly SourceFile[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return listed
    .split('\0')
    .filter((path) => folders.some((folder) => path.startsWith(`${folder}/`)))
    .filter((path) => endings.some((ending) => path.endsWith(ending)))
    .filter((path) => existsSync(join(ROOT, path)))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
}

/** A node of the syntax tree (ESTree), as far as these tests look at it. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

const isNode = (value: unknown): value is SyntaxNode =>
  typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';

/** Visits every node, parents first. */
export function walk(file: SourceFile, visit: (node: SyntaxNode, parent: SyntaxNode | null) => void): void {
  const { program } = parseSync(file.path, file.text);
  const descend = (node: SyntaxNode, parent: SyntaxNode | null): void => {
    visit(node, parent);
    for (const value of Object.values(node)) {
      if (isNode(value)) descend(value, node);
      else if (Array.isArray(value)) for (const item of value) if (isNode(item)) descend(item, node);
    }
  };
  descend(program as unknown as SyntaxNode, null); // ESTree nodes are plain objects; the parser's types are per kind
}

export const lineOf = (file: SourceFile, offset: number): number =>
  file.text.slice(0, offset).split('\n').length;

/** Specifiers of static and dynamic imports and re-exports. */
export function importsOf(
  file: SourceFile,
): readonly { specifier: string; line: number; typeOnly: boolean }[] {
  const found: { specifier: string; line: number; typeOnly: boolean }[] = [];
  walk(file, (node) => {
    if (!/^(ImportDeclaration|ExportNamedDeclaration|ExportAllDeclaration|ImportExpression)$/.test(node.type))
      return;
    const source = node.source;
    if (!isNode(source) || typeof source.value !== 'string') return;
    const typeOnly = node.importKind === 'type' || node.exportKind === 'type';
    found.push({ specifier: source.value, line: lineOf(file, node.start), typeOnly });
  });
  return found;
}

/** Path of a relative import from the repository's root, or null for a package. */
export const resolveImport = (file: SourceFile, specifier: string): string | null =>
  specifier.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(file.path), specifier)) : null;
