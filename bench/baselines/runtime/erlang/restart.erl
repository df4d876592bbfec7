%% A one_for_one supervisor's child exits abnormally; microseconds until the new one handles its next message, p50.
%% In batches with a pause longer than the period: OTP's supervisor walks the list of restarts within it at each one.
-module(restart).
-behaviour(supervisor).
-export([main/0, init/1, start_child/1, child/1]).

-define(BATCHES, 2).
-define(BATCH, 60).

main() ->
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    {ok, _} = supervisor:start_link(?MODULE, self()),
    [_ | Batches] = [batch() || _ <- lists:seq(1, ?BATCHES)],
    Times = lists:sort(lists:append(Batches)),
    rate:print(lists:nth(length(Times) div 2, Times) / 1000).

batch() ->
    timer:sleep(1050),
    [crash() || _ <- lists:seq(1, ?BATCH)].

crash() ->
    Child = receive {started, Pid} -> Pid end,
    Child ! crash,
    receive
        {started, New} ->
            New ! probe,
            self() ! {started, New}
    end,
    Threw = receive {threw, At} -> At end,
    receive {handled, Then} -> Then - Threw end.

init(Owner) ->
    {ok, {#{strategy => one_for_one, intensity => 100000, period => 1},
          [#{id => child, start => {?MODULE, start_child, [Owner]}}]}}.

start_child(Owner) ->
    {ok, spawn_link(?MODULE, child, [Owner])}.

child(Owner) ->
    Owner ! {started, self()},
    loop(Owner).

loop(Owner) ->
    receive
        crash ->
            Owner ! {threw, erlang:monotonic_time(nanosecond)},
            exit(crash);
        probe ->
            Owner ! {handled, erlang:monotonic_time(nanosecond)},
            loop(Owner)
    end.
