import { describe, expect, it } from 'vitest';
import { similarName } from '../../src/actors/storage/similar-name.ts';

describe('the name that is most like another', () => {
  it('is the one of the least edits for its length, whatever the case', () => {
    expect(similarName('projekts', ['products', 'Projects', 'project_tasks'])).toBe('Projects');
    expect(similarName('(id)', ['(name, param, val)', '(attr, id)'])).toBe('(attr, id)');
    expect(similarName('PROJECTS', ['products', 'projects'])).toBe('projects');
  });

  it('is none where nothing is like it, or not enough', () => {
    expect(similarName('zebra', ['products', 'projects'])).toBeNull();
    expect(similarName('project_costs', ['projects'], 0.75)).toBeNull();
    expect(similarName('project', ['projects'], 0.75)).toBe('projects');
    expect(similarName('any', [])).toBeNull();
  });

  it('is not looked for among very many', () => {
    const many = Array.from({ length: 501 }, (_, at) => `table_${at}`);
    expect(similarName('table_x', many.slice(0, 500))).not.toBeNull();
    expect(similarName('table_x', many)).toBeNull();
  });
});
