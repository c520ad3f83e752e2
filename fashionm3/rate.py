"""How fast one session or one client may ask: token buckets, at most so many."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

TALK_RATE, TALK_BURST = 0.5, 10  # messages of one talk a second, and at once


class RateLimit:
    """A token bucket a key: `burst` requests at once, `rate` a second in the long run.

    At most `most` keys are remembered, the least recently seen forgotten first; whoever is forgotten begins anew with
    a full bucket. Thread-safe.
    """

    def __init__(self, rate: float, burst: int, most: int = 10_000, clock: Callable[[], float] = time.monotonic):
        if not (rate > 0 and burst >= 1 and most >= 1):
            raise ValueError(f"rate {rate}, burst {burst} and most {most} must be positive")
        self.rate, self.burst, self.most = rate, burst, most
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # key -> (tokens, as of when)

    def wait(self, key: str) -> float:
        """Take a token: 0 where there was one; else nothing is taken, and the seconds until there is one."""
        with self._lock:
            now = self._clock()
            tokens, then = self._buckets.pop(key, (float(self.burst), now))
            tokens = min(self.burst, tokens + (now - then) * self.rate)
            short = max(0.0, 1 - tokens)
            self._buckets[key] = (tokens if short else tokens - 1, now)
            if len(self._buckets) > self.most:
                self._buckets.popitem(last=False)
            return short / self.rate

    def __len__(self) -> int:
        return len(self._buckets)
