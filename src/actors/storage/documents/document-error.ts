import type { Document } from 'bson';

/** MongoDB's own error codes, as its drivers know them (mongo/base/error_codes.yml). */
export const CODES = {
  InternalError: 1,
  BadValue: 2,
  FailedToParse: 9,
  UserNotFound: 11,
  Unauthorized: 13,
  TypeMismatch: 14,
  AuthenticationFailed: 18,
  LockTimeout: 24,
  NamespaceNotFound: 26,
  IndexNotFound: 27,
  PathNotViable: 28,
  ConflictingUpdateOperators: 40,
  CursorNotFound: 43,
  NamespaceExists: 48,
  MaxTimeMSExpired: 50,
  DollarPrefixedFieldName: 52,
  CommandNotFound: 59,
  ImmutableField: 66,
  CannotCreateIndex: 67,
  InvalidOptions: 72,
  InvalidNamespace: 73,
  UnknownReplWriteConcern: 79,
  IndexOptionsConflict: 85,
  IndexKeySpecsConflict: 86,
  WriteConflict: 112,
  CommandNotSupported: 115,
  ExceededMemoryLimit: 146,
  TransactionTooOld: 225,
  NotImplemented: 238,
  NoSuchTransaction: 251,
  TransactionCommitted: 256,
  OperationNotSupportedInTransaction: 263,
  BSONObjectTooLarge: 10334,
  DuplicateKey: 11000,
  Interrupted: 11601,
  Location17276: 17276,
  UnrecognizedStage: 40324,
  ChangeStreamsNotHere: 40573,
  UserAlreadyExists: 51003,
} as const;

export type CodeName = keyof typeof CODES;

/** A failure as the protocol tells it. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError';
  readonly codeName: CodeName;
  readonly labels: readonly string[];
  /** Further fields of the reply, such as a duplicate's key. */
  readonly fields: Document;

  constructor(
    codeName: CodeName,
    message: string,
    options: {
      readonly labels?: readonly string[];
      readonly fields?: Document;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.codeName = codeName;
    this.labels = options.labels ?? [];
    this.fields = options.fields ?? {};
  }

  get code(): number {
    return CODES[this.codeName];
  }

  /** The failed command's reply. @param more labels that the command gives it. */
  reply(more: readonly string[] = []): Document {
    const labels = [...new Set([...this.labels, ...more])];
    return {
      ok: 0,
      errmsg: this.message,
      code: this.code,
      codeName: this.codeName,
      ...this.fields,
      ...(labels.length === 0 ? {} : { errorLabels: labels }),
    };
  }

  /** The same as one entry of a write command's `writeErrors`. */
  writeError(index: number): Document {
    return { index, code: this.code, errmsg: this.message, ...this.fields };
  }
}

export const badValue = (message: string): DocumentError => new DocumentError('BadValue', message);
