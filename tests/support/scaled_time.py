"""An event loop on which time runs faster, so that waits of minutes are tested as they are written."""

import asyncio
import selectors
from collections.abc import Callable, Mapping
from typing import Any


class _ScaledSelector(selectors.BaseSelector):
    """Waits a fraction of what it is told."""

    def __init__(self, scale: float) -> None:
        self._inner = selectors.DefaultSelector()
        self._scale = scale

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return self._inner.select(None if timeout is None else timeout / self._scale)

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:  # noqa: ANN401 as its base
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:  # noqa: ANN401 as its base
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:  # noqa: ANN401 as its base
        return self._inner.modify(fileobj, events, data)

    def close(self) -> None:
        self._inner.close()

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:  # noqa: ANN401 as its base
        return self._inner.get_key(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()


class ScaledLoop(asyncio.SelectorEventLoop):
    """A loop whose clock runs `scale` times as fast as the real one."""

    def __init__(self, scale: float) -> None:
        self._scale = scale
        super().__init__(_ScaledSelector(scale))

    def time(self) -> float:
        return super().time() * self._scale


def scaled_loop(scale: float) -> Callable[[], asyncio.AbstractEventLoop]:
    """A loop factory for `asyncio.Runner`."""
    return lambda: ScaledLoop(scale)
