import { Type } from 'typebox';
import { ENGINE_KINDS } from '../../protocol/project.ts';

const closed = { additionalProperties: false };

export const ProjectBody = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 63, pattern: '^[A-Za-z0-9][A-Za-z0-9 _.-]*$' }),
    engine: Type.String({ minLength: 1, maxLength: 32, examples: [...ENGINE_KINDS] }),
  },
  closed,
);

const GrantBody = Type.Object(
  {
    role: Type.Union([Type.Literal('anon'), Type.Literal('authenticated')]),
    table: Type.String({ minLength: 1, maxLength: 128 }),
    actions: Type.Array(
      Type.Union([
        Type.Literal('select'),
        Type.Literal('insert'),
        Type.Literal('update'),
        Type.Literal('delete'),
      ]),
      { minItems: 1, maxItems: 4, uniqueItems: true },
    ),
    using: Type.Optional(Type.String({ minLength: 1, maxLength: 2_048 })),
  },
  closed,
);

export const SettingsBody = Type.Object({ grants: Type.Array(GrantBody, { maxItems: 500 }) }, closed);

export const CommandBody = Type.Union([
  Type.Null(),
  Type.Object(
    {
      reason: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
      fault: Type.Optional(Type.Union([Type.Literal('throw'), Type.Literal('exit'), Type.Literal('spin')])),
    },
    closed,
  ),
]);

const secret = Type.String({ minLength: 1, maxLength: 4_096 });
export const SessionBody = Type.Union([
  Type.Object({ key: secret }, closed),
  Type.Object({ ticket: secret }, closed),
]);

export const SqlBody = Type.Object(
  {
    query: Type.String({ minLength: 1 }),
    params: Type.Optional(Type.Array(Type.Unknown(), { maxItems: 32_766 })),
  },
  closed,
);
