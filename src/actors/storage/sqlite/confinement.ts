import { constants, type DatabaseSync } from 'node:sqlite';
import { CAST_FUNCTIONS } from './casting.ts';
import { INTERNAL_PREFIX, isInternalName } from './sqlite-schema.ts';

/**
 * What a tenant's SQL may do on its own database, as SQLite's authorizer asks for each action while a statement is
 * compiled. Allow-lists, so that a pragma or function that a later SQLite adds is refused until somebody looked.
 */

/** Pragmas that only tell. `schema_version` may be read; writing it would corrupt other connections' caches. */
const READABLE_PRAGMAS = new Set([
  'application_id',
  'auto_vacuum',
  'collation_list',
  'compile_options',
  'data_version',
  'encoding',
  'foreign_keys',
  'freelist_count',
  'function_list',
  'journal_mode',
  'page_count',
  'page_size',
  'query_only',
  'recursive_triggers',
  'schema_version',
  'synchronous',
  'table_list',
  'user_version',
]);

/** Pragmas that may also be given an argument. */
const CALLABLE_PRAGMAS = new Set([
  'application_id',
  'defer_foreign_keys',
  'foreign_key_check',
  'foreign_key_list',
  'index_info',
  'index_list',
  'index_xinfo',
  'integrity_check',
  'optimize',
  'quick_check',
  'table_info',
  'table_list',
  'table_xinfo',
  'user_version',
]);

const VIRTUAL_TABLE_MODULES = new Set(['fts5', 'fts4', 'fts3', 'rtree', 'rtree_i32', 'geopoly']);

const SQLITE_FUNCTIONS = `-> ->> abs acos acosh asin asinh atan atan2 atanh avg bm25 ceil ceiling changes char coalesce concat concat_ws cos
  cosh count cume_dist current_date current_time current_timestamp date datetime degrees dense_rank exp first_value
  floor format fts5 fts5_get_locale fts5_insttoken fts5_locale fts5_source_id geopoly_area geopoly_bbox geopoly_blob
  geopoly_ccw geopoly_contains_point geopoly_group_bbox geopoly_json geopoly_overlap geopoly_regular geopoly_svg
  geopoly_within geopoly_xform glob group_concat hex highlight if ifnull iif instr json json_array json_array_insert
  json_array_length json_each json_error_position json_extract json_group_array json_group_object json_insert
  json_object json_patch json_pretty json_quote json_remove json_replace json_set json_tree json_type json_valid jsonb
  jsonb_array jsonb_array_insert jsonb_each jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert
  jsonb_object jsonb_patch jsonb_remove jsonb_replace jsonb_set jsonb_tree julianday lag last_insert_rowid last_value
  lead length like likelihood likely ln log log10 log2 lower ltrim match matchinfo max median min mod nth_value ntile
  nullif octet_length offsets optimize percent_rank percentile percentile_cont percentile_disc pi pow power printf
  quote radians random randomblob rank replace round row_number rtreecheck rtreedepth rtreenode rtrim sign sin sinh
  snippet sqlite_source_id sqlite_version sqrt strftime string_agg substr substring subtype sum tan tanh time timediff
  total total_changes trim trunc typeof unhex unicode unistr unistr_quote unixepoch unlikely upper zeroblob`;
const FUNCTIONS = new Set([...SQLITE_FUNCTIONS.split(/\s+/), ...CAST_FUNCTIONS]);

/** SQLite's own helpers of ALTER TABLE; no statement can name them, but their use is asked for all the same. */
const isAlterHelper = (name: string): boolean =>
  /^sqlite_(rename|drop|add)_|^sqlite_(fail|find_constraint)$/.test(name);

/** Actions on a named thing, whose name must not be one of the board's own. */
const NAMED = new Set<number>([
  constants.SQLITE_CREATE_INDEX,
  constants.SQLITE_CREATE_TABLE,
  constants.SQLITE_CREATE_TEMP_INDEX,
  constants.SQLITE_CREATE_TEMP_TABLE,
  constants.SQLITE_CREATE_TEMP_TRIGGER,
  constants.SQLITE_CREATE_TEMP_VIEW,
  constants.SQLITE_CREATE_TRIGGER,
  constants.SQLITE_CREATE_VIEW,
  constants.SQLITE_DROP_INDEX,
  constants.SQLITE_DROP_TABLE,
  constants.SQLITE_DROP_TEMP_INDEX,
  constants.SQLITE_DROP_TEMP_TABLE,
  constants.SQLITE_DROP_TEMP_TRIGGER,
  constants.SQLITE_DROP_TEMP_VIEW,
  constants.SQLITE_DROP_TRIGGER,
  constants.SQLITE_DROP_VIEW,
  constants.SQLITE_DROP_VTABLE,
]);

const ROW_ACTIONS = new Set<number>([
  constants.SQLITE_INSERT,
  constants.SQLITE_UPDATE,
  constants.SQLITE_DELETE,
  constants.SQLITE_READ,
]);

const PLAIN = new Set<number>([
  constants.SQLITE_SELECT,
  constants.SQLITE_RECURSIVE,
  constants.SQLITE_TRANSACTION,
  constants.SQLITE_SAVEPOINT,
]);

/** Why the last refused statement was refused; SQLite itself only says "not authorized". */
export interface Confinement {
  /** Call before each statement is compiled. */
  begin(): void;
  readonly refusal: string | null;
  /** Runs the board's own statement on the connection, outside the allow-lists. Never with text of a tenant. */
  asBoard<Result>(work: () => Result): Result;
}

class Authorizer implements Confinement {
  refusal: string | null = null;
  #droppedTable: string | null = null;
  #isBoard = false;

  begin(): void {
    this.refusal = null;
    this.#droppedTable = null;
  }

  asBoard<Result>(work: () => Result): Result {
    this.#isBoard = true;
    try {
      return work();
    } finally {
      this.#isBoard = false;
    }
  }

  readonly decide = (
    action: number,
    first: string | null,
    second: string | null,
    _database: string | null,
    within: string | null,
  ): number => {
    if (this.#isBoard) return constants.SQLITE_OK;
    const why = this.#refuse(action, first ?? '', second ?? '', within ?? '');
    if (why === null) return constants.SQLITE_OK;
    this.refusal ??= why;
    return constants.SQLITE_DENY;
  };

  #refuse(action: number, first: string, second: string, within: string): string | null {
    if (PLAIN.has(action)) return null;
    // Only the board can make a trigger of this prefix: what runs inside one is the change log being written.
    if (ROW_ACTIONS.has(action))
      return isInternalName(first) && !isInternalName(within) ? `table ${first} belongs to the board` : null;
    if (NAMED.has(action)) return this.#refuseNamed(action, first, second);
    switch (action) {
      case constants.SQLITE_FUNCTION:
        return FUNCTIONS.has(second.toLowerCase()) || isAlterHelper(second)
          ? null
          : `function ${second} is not allowed`;
      case constants.SQLITE_PRAGMA:
        return refusePragma(first.toLowerCase(), second);
      case constants.SQLITE_CREATE_VTABLE:
        if (isInternalName(first)) return `the prefix ${INTERNAL_PREFIX} belongs to the board`;
        return VIRTUAL_TABLE_MODULES.has(second.toLowerCase()) ? null : `module ${second} is not allowed`;
      case constants.SQLITE_ALTER_TABLE:
        return isInternalName(second) ? `table ${second} belongs to the board` : null;
      case constants.SQLITE_ANALYZE:
      case constants.SQLITE_REINDEX:
        return null;
      case constants.SQLITE_ATTACH:
      case constants.SQLITE_DETACH:
        return 'a project cannot reach beyond its own database (ATTACH, DETACH, VACUUM)';
      default:
        return `action ${action} is not allowed`;
    }
  }

  #refuseNamed(action: number, first: string, second: string): string | null {
    if (action === constants.SQLITE_DROP_TABLE && !isInternalName(first)) this.#droppedTable = first;
    if (!isInternalName(first)) return isInternalName(second) ? `table ${second} belongs to the board` : null;
    // Dropping a table takes the board's triggers on it along.
    const goesWithTable = action === constants.SQLITE_DROP_TRIGGER && second === this.#droppedTable;
    return goesWithTable ? null : `the prefix ${INTERNAL_PREFIX} belongs to the board`;
  }
}

function refusePragma(name: string, argument: string): string | null {
  const allowed =
    argument === '' ? READABLE_PRAGMAS.has(name) || CALLABLE_PRAGMAS.has(name) : CALLABLE_PRAGMAS.has(name);
  if (!allowed) return `PRAGMA ${name}${argument === '' ? '' : ` with a value`} is not allowed`;
  return isInternalName(argument) ? `table ${argument} belongs to the board` : null;
}

/** Puts a connection behind the authorizer. Everything that the board itself sets up must have run before. */
export function confine(database: DatabaseSync): Confinement {
  const authorizer = new Authorizer();
  database.setAuthorizer(authorizer.decide);
  return authorizer;
}
