import { DatabaseError, MagError } from '../../../errors.ts';
import { REDIS_LIMITS } from '../../../limits-redis.ts';
import { evaluate, type Truth } from '../../../protocol/filter-match.ts';
import type { ColumnRef, Filter, Row } from '../../../protocol/query.ts';
import { containment } from './containment.ts';
import { valueAt } from './document-path.ts';

type Leaf = Exclude<Filter, { kind: 'and' | 'or' } | { kind: 'related' }>;
type Test = (document: Row) => Truth;

const not = (truth: Truth): Truth => (truth === null ? null : !truth);

function all(tests: readonly Test[], document: Row): Truth {
  let truth: Truth = true;
  for (const test of tests) {
    const next = test(document);
    if (next === false) return false;
    if (next === null) truth = null;
  }
  return truth;
}

function any(tests: readonly Test[], document: Row): Truth {
  let truth: Truth = false;
  for (const test of tests) {
    const next = test(document);
    if (next === true) return true;
    if (next === null) truth = null;
  }
  return truth;
}

/**
 * A filter of the grammar on documents, made ready once and asked of each. Plain comparisons are those of
 * protocol/filter-match.ts; here are what documents have besides. It counts what it costs, so that whoever asks can let
 * others have the thread.
 */
export class DocumentFilter {
  readonly #test: Test;
  #spent = 0;

  constructor(filter: Filter) {
    this.#test = this.#compile(filter);
  }

  selects(document: Row): boolean {
    return this.#test(document) === true;
  }

  /** Whether so much was compared since this was last asked that others should have their turn. */
  get tired(): boolean {
    if (this.#spent < REDIS_LIMITS.likeSteps) return false;
    this.#spent = 0;
    return true;
  }

  #compile(filter: Filter): Test {
    const test = this.#plain(filter);
    return filter.negated ? (document) => not(test(document)) : test;
  }

  #plain(filter: Filter): Test {
    switch (filter.kind) {
      case 'and':
      case 'or': {
        const tests = filter.terms.map((term) => this.#compile(term));
        return filter.kind === 'and'
          ? (document) => all(tests, document)
          : (document) => any(tests, document);
      }
      case 'related':
        throw cannot('embed related tables');
      case 'text_search':
        throw cannot('search full text');
      case 'quantified': {
        const tests = filter.values.map((value) => this.#compare({ ...filter, kind: 'compare', value }));
        return filter.quantifier === 'all'
          ? (document) => all(tests, document)
          : (document) => any(tests, document);
      }
      case 'contain': {
        if (!['cs', 'cd', 'ov'].includes(filter.op)) throw cannot('compare ranges');
        const test = containment(filter.op, filter.value);
        return (document) => {
          const value = valueAt(document, filter.column);
          if (Array.isArray(value)) this.#spend(value.length, filter.value);
          return value === null ? null : test(value);
        };
      }
      case 'compare':
        return this.#compare(filter);
      default:
        return this.#leaf(filter);
    }
  }

  #compare(filter: Extract<Filter, { kind: 'compare' }>): Test {
    const { op, value: text, column } = filter;
    switch (op) {
      case 'match':
      case 'imatch':
        // JavaScript's expressions can take time exponential in the text, on a thread that serves others.
        throw cannot('match regular expressions');
      case 'isdistinct': {
        const equal = this.#leaf({ ...filter, op: 'eq' });
        return (document) => equal(document) !== true;
      }
      case 'like':
      case 'ilike': {
        const test = this.#leaf(filter);
        return (document) => {
          const value = valueAt(document, column);
          if (typeof value === 'string') this.#spend(value.length, text);
          return test(document);
        };
      }
      default:
        return this.#leaf(filter);
    }
  }

  /** A filter that knows columns and no paths. */
  #leaf(filter: Leaf): Test {
    const { column } = filter;
    const plain: Filter = { ...filter, column: { name: column.name }, negated: false };
    if (column.path === undefined) return (document) => evaluate(plain, document);
    return (document) => evaluate(plain, { [column.name]: valueAt(document, column as ColumnRef) });
  }

  /** @param length characters of the text, or members of the list. */
  #spend(length: number, pattern: string): void {
    const steps = length * pattern.length;
    if (steps > REDIS_LIMITS.likeStepsAtOnce)
      throw new DatabaseError('22025', 'The pattern is too long for a value of this length');
    this.#spent += steps;
  }
}

const cannot = (what: string): MagError => new MagError('MAG_ENGINE_UNSUPPORTED', { engine: 'redis', what });
