"""Where the time of the training steps goes: waiting for data, translation, augmentation, network."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

import torch


class StepClock:
    """Adds up an epoch's times without stopping the device.

    Waiting and whole steps are measured on the host, because nnU-Net's step ends by reading the loss back; the parts of
    a step by events on the device.
    """

    def __init__(self, device: torch.device, now: Callable[[], float] = perf_counter):
        self._events = device.type == "cuda" and torch.cuda.is_available()
        self._now = now
        self.begin()

    def begin(self) -> None:
        """Forget everything; from now on it waits for data."""
        self._seconds: dict[str, float] = defaultdict(float)
        self._spans: list[tuple[str, torch.cuda.Event, torch.cuda.Event]] = []
        self._last = self._now()

    @contextmanager
    def step(self) -> Iterator[None]:
        """A whole step; what lies between two steps is waiting."""
        start = self._now()
        self._seconds["waiting"] += start - self._last
        yield
        self._last = self._now()
        self._seconds["step"] += self._last - start

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """A part of a step: "translation" or "augmentation"."""
        start = self._mark()
        yield
        stop = self._mark()
        if self._events:
            self._spans.append((name, start, stop))
        else:
            self._seconds[name] += stop - start

    def shares(self) -> dict[str, float]:
        """Share of each part in the time since `begin`; they add up to 1. Empty before the first step."""
        seconds = self._seconds.copy()
        for name, start, stop in self._spans:
            stop.synchronize()
            seconds[name] += start.elapsed_time(stop) / 1000
        total = seconds["waiting"] + seconds["step"]
        if not total:
            return {}
        parts = {name: seconds[name] / total for name in ("waiting", "translation", "augmentation")}
        return parts | {"network": 1 - sum(parts.values())}

    def _mark(self) -> float | torch.cuda.Event:
        if not self._events:
            return self._now()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event
