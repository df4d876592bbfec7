%% Two processes that answer each other: round trips per second.
-module(pingpong).
-export([main/0]).

main() ->
    Pong = spawn_link(fun pong/0),
    rate:print(rate:per_second(1000000, fun(Count) -> run(Count, Pong) end)).

run(Count, Pong) ->
    Self = self(),
    spawn_link(fun() -> ping(Count, Pong), Self ! done end),
    receive done -> ok end.

ping(0, _) -> ok;
ping(N, Pong) ->
    Pong ! {ping, N, self()},
    receive {pong, N} -> ping(N - 1, Pong) end.

pong() ->
    receive {ping, N, From} -> From ! {pong, N} end,
    pong().
