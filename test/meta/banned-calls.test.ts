import { describe, expect, it } from 'vitest';
import { importsOf, lineOf, type SourceFile, type SyntaxNode, sourceFiles, walk } from './source-tree.ts';

/** The real host, and the one file that makes worker threads through Piscina. */
const DOORS = new Set(['src/runtime/host-node.ts', 'src/runtime/placement/worker-pool.ts']);

const BANNED_CALLS = new Set([
  'Date.now',
  'performance.now',
  'Math.random',
  'crypto.randomUUID',
  'crypto.randomBytes',
  'randomUUID',
  'randomBytes',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'process.nextTick',
  'process.hrtime',
  'process.hrtime.bigint',
  'AbortSignal.timeout',
]);
const BANNED_CONSTRUCTORS = new Set(['Worker', 'MessageChannel', 'BroadcastChannel', 'Piscina']);
const BANNED_MODULES = new Set(['node:child_process', 'node:timers', 'node:timers/promises', 'node:cluster']);

const dotted = (node: unknown): string => {
  const part = node as SyntaxNode; // only called on nodes
  if (part?.type === 'Identifier') return String(part.name);
  if (part?.type === 'MemberExpression' && part.computed === false)
    return `${dotted(part.object)}.${dotted(part.property)}`;
  return '';
};

/** Every way around the Host door in a file. */
export function wayAround(file: SourceFile): readonly string[] {
  const found: string[] = [];
  const report = (node: SyntaxNode, what: string): void => {
    found.push(`${file.path}:${lineOf(file, node.start)} ${what}`);
  };
  walk(file, (node) => {
    if (node.type === 'CallExpression') {
      const name = dotted(node.callee).replace(/^globalThis\./, '');
      if (BANNED_CALLS.has(name)) report(node, name);
    }
    if (node.type === 'NewExpression') {
      const name = dotted(node.callee).replace(/^globalThis\./, '');
      if (BANNED_CONSTRUCTORS.has(name)) report(node, `new ${name}`);
      if (name === 'Date' && Array.isArray(node.arguments) && node.arguments.length === 0)
        report(node, 'new Date()');
    }
  });
  for (const { specifier, line, typeOnly } of importsOf(file)) {
    if (BANNED_MODULES.has(specifier) && !typeOnly) found.push(`${file.path}:${line} imports ${specifier}`);
  }
  return found;
}

describe('the Host is the only door to time, entropy, scheduling, threads and processes', () => {
  it('is used by everything under src and worker', () => {
    const files = sourceFiles(['src', 'worker'], ['.ts']).filter((file) => !DOORS.has(file.path));
    expect(files.flatMap(wayAround)).toEqual([]);
  });

  it('catches a way around it', () => {
    const sneaky = {
      path: 'sneaky.ts',
      text: 'const a = Date.now();\nglobalThis.setTimeout(() => {}, 1);\nnew Worker("x");\nnew Date();',
    };
    expect(wayAround(sneaky)).toHaveLength(4);
  });
});
