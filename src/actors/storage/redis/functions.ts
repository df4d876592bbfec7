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

-- The value of an index's entry: what stands before the NUL.
local function value_of(entry) return string.sub(entry, 1, string.find(entry, '\\0', 1, true) - 1) end

-- One document of a write, at a place of ARGV: what to do (put, del, keep), id, member, SHA-1 of what it is now or ''
-- for nothing, what it will be, number of index changes; of each of those: -, + or u (unique), which key, entry.
local function document_at(args, at, docs)
  local changes = tonumber(args[at + 5])
  return {
    what = args[at], id = args[at + 1], key = docs .. args[at + 1], member = args[at + 2], sha = args[at + 3],
    text = args[at + 4], first = at + 6, last = at + 5 + 3 * changes,
  }, at + 6 + 3 * changes
end

-- A collection's part of a write, at a place of ARGV: which key its ids are (its indexes come behind it), number of
-- indexes, document prefix, collection, registry value held, registry value to be or '', number of documents, those.
local function section_at(args, at)
  local section = {
    ids = tonumber(args[at]), indexes = tonumber(args[at + 1]), docs = args[at + 2], collection = args[at + 3],
    held = args[at + 4], becomes = args[at + 5], documents = {},
  }
  local count = tonumber(args[at + 6])
  at = at + 7
  for n = 1, count do section.documents[n], at = document_at(args, at, section.docs) end
  return section, at
end

-- Why a document or its indexes are not what they were reckoned with, or nil.
local function changed(section, keys, args, gone)
  for _, document in ipairs(section.documents) do
    local text = redis.call('GET', document.key)
    if document.sha == '' then
      if text then return {'exists', section.collection, document.id} end
    elseif not text or redis.sha1hex(text) ~= document.sha then
      return {'changed', section.collection}
    end
    for at = document.first, document.last, 3 do
      if args[at] == '-' then gone[keys[section.ids + tonumber(args[at + 1])] .. '\\0' .. args[at + 2]] = true end
    end
  end
end

-- Which value of a unique index another document has, or nil.
local function taken(section, keys, args, gone)
  local given = {}
  for _, document in ipairs(section.documents) do
    for at = document.first, document.last, 3 do
      if args[at] == 'u' then
        local number, entry = tonumber(args[at + 1]), args[at + 2]
        local index, value = keys[section.ids + number], value_of(entry)
        local others = redis.call('ZRANGE', index, '[' .. value .. '\\0', '(' .. value .. '\\1', 'BYLEX', 'LIMIT', 0, 8)
        for _, other in ipairs(others) do
          if other ~= entry and not gone[index .. '\\0' .. other] then
            return {'taken', section.collection, number, document.id}
          end
        end
        local place = index .. '\\0' .. value
        if given[place] and given[place] ~= entry then return {'taken', section.collection, number, document.id} end
        given[place] = entry
      end
    end
  end
end

local function apply(section, keys, args)
  for _, document in ipairs(section.documents) do
    if document.what == 'put' then
      redis.call('SET', document.key, document.text)
      if document.sha == '' then redis.call('ZADD', keys[section.ids], 0, document.member) end
    elseif document.what == 'del' then
      redis.call('DEL', document.key)
      redis.call('ZREM', keys[section.ids], document.member)
    end
    for at = document.first, document.last, 3 do
      local index, entry = keys[section.ids + tonumber(args[at + 1])], args[at + 2]
      if args[at] == '-' then redis.call('ZREM', index, entry) end
    end
  end
  -- After all that goes: a value may go from one document to another.
  for _, document in ipairs(section.documents) do
    for at = document.first, document.last, 3 do
      local index, entry = keys[section.ids + tonumber(args[at + 1])], args[at + 2]
      if args[at] ~= '-' then redis.call('ZADD', index, 0, entry) end
    end
  end
  local collection, becomes = section.collection, section.becomes
  if becomes == '-' then redis.call('HDEL', keys[1], collection)
  elseif becomes ~= '' then redis.call('HSET', keys[1], collection, becomes)
  elseif section.held == '' then redis.call('HSET', keys[1], collection, '[]') end
end

-- Records of idempotency keys, at a place of ARGV: which key, SHA-1 of what it is now or '', what it will be, when it
-- expires; behind them the time, how many expired ones go with one that comes, and the most there may be.
local function records_at(args, at)
  local records, count = {}, tonumber(args[at])
  at = at + 1
  for n = 1, count do
    records[n] = {key = tonumber(args[at]), sha = args[at + 1], text = args[at + 2], expires = args[at + 3]}
    at = at + 4
  end
  return records, at
end

local function claimed(records, keys)
  for _, record in ipairs(records) do
    local text = redis.call('GET', keys[record.key])
    if (text and redis.sha1hex(text) or '') ~= record.sha then return {'claimed'} end
  end
end

local function keep(records, keys, now, sweep, most)
  for _, record in ipairs(records) do
    redis.call('SET', keys[record.key], record.text)
    redis.call('ZADD', keys[2], record.expires, keys[record.key])
    local gone = redis.call('ZRANGEBYSCORE', keys[2], '-inf', now, 'LIMIT', 0, sweep)
    if redis.call('ZCARD', keys[2]) > most then gone[#gone + 1] = redis.call('ZRANGE', keys[2], 0, 0)[1] end
    for _, key in ipairs(gone) do
      redis.call('DEL', key)
      redis.call('ZREM', keys[2], key)
    end
  end
end

-- All of a write, or nothing. KEYS: registry, order of the records, then those that ARGV names. ARGV: dry, most
-- collections, number of sections, records, time, sweep, most records, sections.
local function write(keys, args)
  local dry, collections, count = args[1] == '1', tonumber(args[2]), tonumber(args[3])
  local records, at = records_at(args, 4)
  local now, sweep, most = args[at], args[at + 1], tonumber(args[at + 2])
  at = at + 3
  local held = claimed(records, keys)
  if held then return held end
  local sections = {}
  for n = 1, count do
    local section
    section, at = section_at(args, at)
    local known = redis.call('HGET', keys[1], section.collection) or ''
    if known ~= section.held then return {'stale', section.collection, known} end
    if known == '' and redis.call('HLEN', keys[1]) >= collections then return {'full'} end
    -- A key of another type fails here, before anything is written.
    for key = section.ids, section.ids + section.indexes do redis.call('ZCARD', keys[key]) end
    if section.becomes == '-' and redis.call('ZCARD', keys[section.ids]) > 0 then
      return {'changed', section.collection}
    end
    sections[n] = section
  end
  for _, check in ipairs({changed, taken}) do
    for _, section in ipairs(sections) do
      section.gone = section.gone or {}
      local why = check(section, keys, args, section.gone)
      if why then return why end
    end
  end
  if dry then return {'ok'} end
  for _, section in ipairs(sections) do apply(section, keys, args) end
  keep(records, keys, now, sweep, most)
  return {'ok'}
end
`;

/** Boards of several versions may share a server: each has its own functions, named by what they say. */
const NAME = `mag_${createHash('sha256').update(CODE).digest('hex').slice(0, 10)}`;

export const FUNCTIONS = {
  page: `${NAME}_page`,
  write: `${NAME}_write`,
  /** The same for what only removes: a server that is out of memory must let go of something. */
  remove: `${NAME}_remove`,
} as const;

/** The library as FUNCTION LOAD takes it. */
export const LIBRARY = `#!lua name=${NAME}
${CODE}
redis.register_function{function_name='${FUNCTIONS.page}', callback=page, flags={'no-writes'}}
redis.register_function('${FUNCTIONS.write}', write)
redis.register_function{function_name='${FUNCTIONS.remove}', callback=write, flags={'allow-oom'}}
`;
