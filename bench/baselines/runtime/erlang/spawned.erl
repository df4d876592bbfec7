%% 100,000 processes of nobody: how many are spawned per second, and what an idle one takes.
-module(spawned).
-export([main/0, memory/0]).

-define(COUNT, 100000).

main() ->
    run(),
    rate:print(lists:max([run(), run()])).

run() ->
    Start = erlang:monotonic_time(nanosecond),
    Pids = spawn_all(?COUNT, []),
    Took = erlang:monotonic_time(nanosecond) - Start,
    stop_all(Pids),
    ?COUNT * 1.0e9 / Took.

memory() ->
    erlang:garbage_collect(),
    Before = erlang:memory(total),
    Pids = spawn_all(?COUNT, []),
    timer:sleep(200),
    erlang:garbage_collect(),
    After = erlang:memory(total),
    stop_all(Pids),
    %% The list of pids is ours: two words each.
    rate:print((After - Before) / ?COUNT - 16).

spawn_all(0, Pids) -> Pids;
spawn_all(N, Pids) -> spawn_all(N - 1, [spawn(fun idle/0) | Pids]).

idle() ->
    receive stop -> ok end.

stop_all(Pids) ->
    Watched = [begin Ref = monitor(process, Pid), Pid ! stop, Ref end || Pid <- Pids],
    [receive {'DOWN', Ref, process, _, _} -> ok end || Ref <- Watched],
    ok.
