import { createHash } from 'node:crypto';

/**
 * What runs inside Redis, as functions that the board loads and that run under the project's own ACL user: each is
 * one step to everybody else, as a MULTI is (the append-only file keeps it as one), and costs one round trip.
 */
const CODE = `
-- Documents fetched at once: Lua's unpack fills the stack.
local CHUNK = 100

-- The id at the end of a member of a set of ids, or of an index (behind the value and a NUL).
local function id_of(entry, indexed)
  local start = 1
  if indexed then start = string.find(entry, '\\0', 1, true) + 1 end
  if string.byte(entry, start) == 110 then return string.sub(entry, start + 17) end
  return string.sub(entry, start + 1)
end

-- KEYS: registry, sorted set. ARGV: document prefix, collection, registry value wanted or '', mode (rank, lex),
-- reverse, indexed, from, to, most entries, most bytes. Gives registry value, state, size of the set, the entry to go
-- on from or '', documents.
local function page(keys, args)
  local docs, collection, wanted, mode = args[1], args[2], args[3], args[4]
  local reverse, indexed = args[5] == '1', args[6] == '1'
  local from, to, most, budget = args[7], args[8], tonumber(args[9]), tonumber(args[10])
  local known = redis.call('HGET', keys[1], collection)
  if not known then return {'', 'unknown'} end
  if wanted ~= '' and known ~= wanted then return {known, 'stale'} end
  local entries
  if mode == 'rank' then
    if reverse then entries = redis.call('ZRANGE', keys[2], from, to, 'REV')
    else entries = redis.call('ZRANGE', keys[2], from, to) end
  elseif reverse then
    entries = redis.call('ZRANGE', keys[2], to, from, 'BYLEX', 'REV', 'LIMIT', 0, most)
  else
    entries = redis.call('ZRANGE', keys[2], from, to, 'BYLEX', 'LIMIT', 0, most)
  end
  local reply = {known, 'ok', redis.call('ZCARD', keys[2]), ''}
  local done, spent = 0, 0
  while done < #entries and spent < budget do
    local last = math.min(done + CHUNK, #entries)
    local wants = {}
    for at = done + 1, last do wants[#wants + 1] = docs .. id_of(entries[at], indexed) end
    for _, text in ipairs(redis.call('MGET', unpack(wants))) do
      if text then
        spent = spent + #text
        reply[#reply + 1] = text
      end
    end
    done = last
  end
  if done > 0 and (done < #entries or (mode == 'lex' and done == most)) then reply[4] = entries[done] end
  return reply
end

-- KEYS: registry, ids, indexes. ARGV: document prefix, collection, registry value held, registry value to be or '',
-- dry, most collections, documents; then of each: what to do (put, del, keep), id, member, SHA-1 of what it is now or
-- '' for nothing, what it will be, number of index changes; of each of those: + or -, which key, entry.
local function write(keys, args)
  local docs, collection, held, becomes, dry = args[1], args[2], args[3], args[4], args[5] == '1'
  local known = redis.call('HGET', keys[1], collection) or ''
  if known ~= held then return {'stale', known} end
  if known == '' and redis.call('HLEN', keys[1]) >= tonumber(args[6]) then return {'full'} end
  -- A key of another type fails here, before anything is written.
  for at = 2, #keys do redis.call('ZCARD', keys[at]) end
  local count = tonumber(args[7])
  local at = 8
  for _ = 1, count do
    local id, sha = args[at + 1], args[at + 3]
    local text = redis.call('GET', docs .. id)
    if sha == '' then
      if text then return {'exists', id} end
    elseif not text or redis.sha1hex(text) ~= sha then
      return {'changed', id}
    end
    at = at + 6 + 3 * tonumber(args[at + 5])
  end
  if becomes == '-' and redis.call('ZCARD', keys[2]) > 0 then return {'changed', ''} end
  if dry then return {'ok'} end
  at = 8
  for _ = 1, count do
    local what, key, member = args[at], docs .. args[at + 1], args[at + 2]
    if what == 'put' then
      redis.call('SET', key, args[at + 4])
      if args[at + 3] == '' then redis.call('ZADD', keys[2], 0, member) end
    elseif what == 'del' then
      redis.call('DEL', key)
      redis.call('ZREM', keys[2], member)
    end
    local changes = tonumber(args[at + 5])
    at = at + 6
    for _ = 1, changes do
      local index, entry = keys[2 + tonumber(args[at + 1])], args[at + 2]
      if args[at] == '+' then redis.call('ZADD', index, 0, entry) else redis.call('ZREM', index, entry) end
      at = at + 3
    end
  end
  if becomes == '-' then redis.call('HDEL', keys[1], collection)
  elseif becomes ~= '' then redis.call('HSET', keys[1], collection, becomes)
  elseif known == '' then redis.call('HSET', keys[1], collection, '[]') end
  return {'ok'}
end
`;

/** Boards of several versions may share a server: each has its own functions, named by what they say. */
const NAME = `mag_${createHash('sha256').update(CODE).digest('hex').slice(0, 10)}`;

export const FUNCTIONS = { page: `${NAME}_page`, write: `${NAME}_write` } as const;

/** The library as FUNCTION LOAD takes it. */
export const LIBRARY = `#!lua name=${NAME}
${CODE}
redis.register_function{function_name='${FUNCTIONS.page}', callback=page, flags={'no-writes'}}
redis.register_function('${FUNCTIONS.write}', write)
`;
