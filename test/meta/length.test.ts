import { describe, expect, it } from 'vitest';
import { lineOf, type SourceFile, sourceFiles, walk } from './source-tree.ts';

const MAX_FILE_LINES = 400;
const MAX_FUNCTION_LINES = 70;

function longFunctions(file: SourceFile): readonly string[] {
  const found: string[] = [];
  walk(file, (node) => {
    if (!/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type)) return;
    const lines = lineOf(file, node.end) - lineOf(file, node.start) + 1;
    if (lines > MAX_FUNCTION_LINES) found.push(`${file.path}:${lineOf(file, node.start)} is ${lines} lines`);
  });
  return found;
}

describe('a reader takes in a file in one sitting', () => {
  it(`has no file over ${MAX_FILE_LINES} lines`, () => {
    const files = sourceFiles(
      ['src', 'bin', 'worker', 'ui', 'test', 'bench', 'examples', 'scripts'],
      ['.ts', '.tsx', '.css'],
    );
    const long = files
      .map((file) => ({ path: file.path, lines: file.text.split('\n').length - 1 }))
      .filter(({ lines }) => lines > MAX_FILE_LINES)
      .map(({ path, lines }) => `${path}: ${lines}`);
    expect(long).toEqual([]);
  });

  it(`has no function over ${MAX_FUNCTION_LINES} lines in what ships`, () => {
    const files = sourceFiles(['src', 'bin', 'worker', 'ui/src'], ['.ts', '.tsx']);
    expect(files.flatMap(longFunctions)).toEqual([]);
  });
});
