"""A language model that costs next to nothing: one thread, plain sockets, an answer rendered beforehand.

The rule: as with the instant GoHighLevel, each of its microseconds is one less for whom it serves.
Run as `-m tests.bench.instant_llm PORT`.
"""

import sys

from tests.bench import instant_ghl

_BODY = (
    b'{"id": "c-1", "object": "chat.completion", "created": 1, "model": "instant-1", "choices": [{"index": 0,'
    b' "message": {"role": "assistant", "content": "{\\"text\\": \\"Hi {{client_first_name}}! See you'
    b' {{booking_starts_at}}.\\"}"}, "finish_reason": "stop"}],'
    b' "usage": {"prompt_tokens": 400, "completion_tokens": 20, "total_tokens": 420}}'
)
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_BODY)
) + _BODY


class Server(instant_ghl.Server):
    def _answer(self, connection: instant_ghl.Connection, request: bytes) -> None:
        connection.send(_ANSWER)


if __name__ == "__main__":
    Server(int(sys.argv[1]), 0.0).run()
