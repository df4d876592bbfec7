%% One process sends, one counts: messages per second. In bursts of 256, two at most on their way, as the bounded
%% mailboxes it is compared with need it; and all at once, as Erlang allows. The faster one counts.
-module(oneway).
-export([main/0]).

-define(COUNT, 4096000).
-define(BURST, 256).

main() ->
    Bursts = rate:per_second(?COUNT, fun bursts/1),
    Flood = rate:per_second(?COUNT, fun flood/1),
    rate:print(max(Bursts, Flood)).

bursts(Count) ->
    run(Count, fun(Counter) ->
        self() ! more,
        send_bursts(Counter, Count, Count)
    end).

flood(Count) ->
    run(Count, fun(Counter) -> send(Counter, Count) end).

run(Count, Send) ->
    Self = self(),
    Counter = spawn_link(fun() -> counter(0) end),
    spawn_link(fun() -> Send(Counter), Counter ! {read, Self} end),
    receive {count, Count} -> ok end,
    Counter ! stop.

send_bursts(_, 0, 0) -> ok;
send_bursts(Counter, 0, Due) ->
    receive more -> send_bursts(Counter, 0, Due) after 0 -> ok end;
send_bursts(Counter, Left, Due) ->
    receive more -> ok end,
    send(Counter, ?BURST),
    Counter ! {more, self()},
    send_bursts(Counter, Left - ?BURST, Due).

send(_, 0) -> ok;
send(Counter, N) ->
    Counter ! {add, 1},
    send(Counter, N - 1).

counter(Sum) ->
    receive
        {add, Value} -> counter(Sum + Value);
        {more, From} -> From ! more, counter(Sum);
        {read, From} -> From ! {count, Sum}, counter(Sum);
        stop -> ok
    end.
