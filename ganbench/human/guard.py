"""Limits on what anyone may send: how large, and how often."""

import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping

from ganbench.human.answers import Refused

LARGEST_BODY = 4096  # bytes; an answer has some 200
_REMEMBERED = 10_000  # senders


class Rate:
    """So many requests a second for each sender, and a burst before that counts.

    Args:
        each_second: in the long run.
        burst: at once, after a while of silence.
        clock: gives seconds.
    """

    def __init__(self, each_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._each_second, self._burst, self._clock = each_second, burst, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, sender: str) -> None:
        """Counts a request. Raises Refused (429) where there were too many."""
        with self._lock:
            now = self._clock()
            left, then = self._left.pop(sender, (float(self._burst), now))
            left = min(self._burst, left + (now - then) * self._each_second)
            self._left[sender] = (max(left - 1, 0.0), now)
            while len(self._left) > _REMEMBERED:
                self._left.popitem(last=False)
        if left < 1:
            raise Refused(429, "Too many requests. Wait a moment, and go on.")


async def body_of(headers: Mapping[str, str], stream: AsyncIterator[bytes]) -> bytes:
    """The body of a request. Raises Refused (413) as soon as it is known to be too large."""
    too_large = Refused(413, f"A request has at most {LARGEST_BODY} bytes.")
    stated = headers.get("content-length", "0")
    if not stated.isdecimal() or int(stated) > LARGEST_BODY:
        raise too_large
    found = b""
    async for part in stream:
        found += part
        if len(found) > LARGEST_BODY:
            raise too_large
    return found
