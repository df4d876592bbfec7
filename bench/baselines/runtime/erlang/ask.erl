%% gen_server:call, one at a time: calls per second.
-module(ask).
-behaviour(gen_server).
-export([main/0, init/1, handle_call/3, handle_cast/2]).

main() ->
    {ok, Server} = gen_server:start_link(?MODULE, 7, []),
    rate:print(rate:per_second(500000, fun(Count) -> calls(Server, Count) end)).

calls(_, 0) -> ok;
calls(Server, N) ->
    7 = gen_server:call(Server, read),
    calls(Server, N - 1).

init(State) -> {ok, State}.
handle_call(read, _From, State) -> {reply, State, State}.
handle_cast(_, State) -> {noreply, State}.
