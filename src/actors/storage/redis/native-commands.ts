/**
 * Which arguments of a command are keys: the first, the first two, all, every other one (key value key value), those
 * that a count names (`ZUNION 2 a b`), a destination and those that a count names; or a channel; or none.
 */
export type KeyPlace = 'first' | 'two' | 'all' | 'pairs' | 'counted' | 'stored' | 'channel' | 'none';

export interface NativeCommand {
  readonly keys: KeyPlace;
  readonly writes: boolean;
}

const reads = (keys: KeyPlace, names: string): readonly (readonly [string, NativeCommand])[] =>
  names.split(' ').map((name) => [name, { keys, writes: false }]);

const writes = (keys: KeyPlace, names: string): readonly (readonly [string, NativeCommand])[] =>
  names.split(' ').map((name) => [name, { keys, writes: true }]);

/**
 * Commands a tenant may run over /native/v1, and its own user on the wire. Not among them: what waits (BLPOP), what
 * names keys in its reply or inside its options (SORT, XREAD, LMPOP, OBJECT), what runs code, and what is about the server.
 */
export const NATIVE_COMMANDS: Readonly<Record<string, NativeCommand>> = Object.fromEntries([
  ...reads('none', 'ping echo'),
  ...reads('channel', 'publish'),
  // Any type
  ...reads('first', 'type ttl pttl expiretime pexpiretime'),
  ...reads('all', 'exists touch'),
  ...writes('first', 'expire pexpire expireat pexpireat persist'),
  ...writes('all', 'del unlink'),
  ...writes('two', 'rename renamenx'),
  // Strings
  ...reads('first', 'get getrange strlen getbit bitcount bitpos'),
  ...reads('all', 'mget'),
  ...writes(
    'first',
    'set setnx setex psetex getset getdel getex append incr incrby incrbyfloat decr decrby setrange setbit',
  ),
  ...writes('pairs', 'mset msetnx'),
  // Hashes
  ...reads('first', 'hget hmget hgetall hexists hkeys hvals hlen hstrlen hrandfield hscan'),
  ...writes('first', 'hset hsetnx hmset hdel hincrby hincrbyfloat'),
  // Lists
  ...reads('first', 'llen lrange lindex lpos'),
  ...writes('first', 'lpush rpush lpushx rpushx lpop rpop lset lrem ltrim linsert'),
  ...writes('two', 'lmove rpoplpush'),
  // Sets
  ...reads('first', 'smembers sismember smismember scard srandmember sscan'),
  ...reads('all', 'sinter sunion sdiff'),
  ...reads('counted', 'sintercard'),
  ...writes('first', 'sadd srem spop'),
  ...writes('two', 'smove'),
  ...writes('all', 'sinterstore sunionstore sdiffstore'),
  // Sorted sets
  ...reads(
    'first',
    'zscore zmscore zrank zrevrank zcard zcount zlexcount zrange zrevrange zrangebyscore zrevrangebyscore',
  ),
  ...reads('first', 'zrangebylex zrevrangebylex zrandmember zscan'),
  ...reads('counted', 'zinter zunion zdiff zintercard'),
  ...writes('first', 'zadd zrem zincrby zpopmin zpopmax zremrangebyrank zremrangebyscore zremrangebylex'),
  ...writes('two', 'zrangestore'),
  ...writes('stored', 'zinterstore zunionstore zdiffstore'),
  // Counters, streams, places
  ...reads('all', 'pfcount'),
  ...writes('first', 'pfadd'),
  ...writes('all', 'pfmerge'),
  ...reads('first', 'xlen xrange xrevrange'),
  ...writes('first', 'xadd xdel xtrim'),
  ...reads('first', 'geopos geodist geohash geosearch'),
  ...writes('first', 'geoadd'),
]);
