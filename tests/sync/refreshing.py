"""Run as a module: processes that ask for one location's token at the same moment, and say what they got.

Arguments: GoHighLevel's address, how many processes, and for each round `token:<location>` (it is due) or
`renewed:<location>` (GoHighLevel has refused it). Prints a line of JSON for each round: the statuses that
GoHighLevel answers a request with the tokens they got.
"""

import asyncio
import json
import multiprocessing
import sys
from multiprocessing.synchronize import Barrier

import django


def ask(url: str, way: str, location_id: str) -> int:
    """Return the status of a read with the token that this process got; 0 where it got none."""
    from pydantic import SecretStr

    from sync import credentials
    from sync.database_thread import DatabaseThread
    from sync.ghl import reads
    from sync.ghl.response import Answer
    from sync.ghl.transport import Carrier
    from sync.tokens import Keeper

    async def run() -> int:
        async with Carrier(url) as carrier, DatabaseThread() as database:
            keeper = Keeper(carrier, database=database)
            held = await database(credentials.held, location_id)
            assert held is not None
            turn.wait()
            if way == "renewed":
                token = await keeper.renewed(location_id, held.access)
            else:
                token = await keeper.token(location_id)
            if not isinstance(token, SecretStr):
                return 0
            answer = await carrier.send(reads.location(location_id), token)
            return answer.status if isinstance(answer, Answer) else 0

    return asyncio.run(run())


turn: Barrier


def begin(barrier: Barrier) -> None:
    """Let a process know what it waits for, so that all of them ask at once."""
    global turn
    turn = barrier


if __name__ == "__main__":
    django.setup()
    url, count, *rounds = sys.argv[1:]
    # Forked with everything imported and no connection opened.
    context = multiprocessing.get_context("fork")
    with context.Pool(int(count), initializer=begin, initargs=(context.Barrier(int(count)),)) as pool:
        for one in rounds:
            way, location_id = one.split(":")
            statuses = pool.starmap(ask, [(url, way, location_id)] * int(count), chunksize=1)
            sys.stdout.write(f"{json.dumps(statuses)}\n")
