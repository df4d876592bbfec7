import { DatabaseError, MagError } from '../../../errors.ts';
import { REDIS_LIMITS } from '../../../limits-redis.ts';
import type { Truth } from '../../../protocol/filter-match.ts';
import type { Filter, Row } from '../../../protocol/query.ts';
import { containment } from './containment.ts';
import { compareInDocument, isAmong, isInDocument } from './document-compare.ts';
import { valueAt } from './document-path.ts';

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
 * A filter of the grammar on documents, made ready once and asked of each. It counts what it costs, so that whoever asks
 * can let others have the thread.
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
      case 'in':
        return (document) => isAmong(valueAt(document, filter.column), filter.values);
      case 'is':
        return (document) => isInDocument(valueAt(document, filter.column), filter.value);
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
        return (document) => compareInDocument(valueAt(document, column), 'eq', text) !== true;
      }
      case 'like':
      case 'ilike': {
        return (document) => {
          const value = valueAt(document, column);
          if (typeof value === 'string') this.#spend(value.length, text);
          return compareInDocument(value, op, text);
        };
      }
      default:
        return (document) => compareInDocument(valueAt(document, column), op, text);
    }
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
