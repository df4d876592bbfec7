%% What the programs beside it share: the clock, and the one line that each prints.
-module(rate).
-export([per_second/2, print/1, gather/2]).

%% Runs Work(Count) a fifth as long first, then on the clock: so many things per second.
per_second(Count, Work) ->
    Work(Count div 5),
    Start = erlang:monotonic_time(nanosecond),
    Work(Count),
    Count * 1.0e9 / (erlang:monotonic_time(nanosecond) - Start).

print(Value) ->
    io:format("{\"value\": ~w}~n", [float(Value)]),
    halt(0).

%% So many messages of one kind.
gather(_, 0) -> ok;
gather(What, Count) ->
    receive What -> gather(What, Count - 1) end.
