%% Children of OTP's own dynamic supervisor (simple_one_for_one): how many are started per second.
-module(supervised).
-behaviour(supervisor).
-export([main/0, init/1, start_child/0]).

-define(COUNT, 100000).

main() ->
    {ok, Supervisor} = supervisor:start_link(?MODULE, []),
    rate:print(rate:per_second(?COUNT, fun(Count) -> start(Supervisor, Count) end)).

start(_, 0) -> ok;
start(Supervisor, N) ->
    {ok, _} = supervisor:start_child(Supervisor, []),
    start(Supervisor, N - 1).

init([]) ->
    {ok, {#{strategy => simple_one_for_one},
          [#{id => child, start => {?MODULE, start_child, []}, shutdown => brutal_kill}]}}.

start_child() ->
    {ok, spawn_link(fun idle/0)}.

idle() ->
    receive stop -> ok end.
