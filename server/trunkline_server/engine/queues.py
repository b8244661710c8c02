"""The slots of all targets that have a limit."""

from trunkline_server.engine.slots import Slots
from trunkline_server.providers.target import Target


class Queues:
    """Slots by target; made when a target with `max_concurrent` is first called."""

    def __init__(self) -> None:
        self._slots: dict[str, Slots] = {}

    def of(self, target: Target) -> Slots:
        """The slots of this target."""
        found = self._slots.get(target.name)
        if found is None:
            found = self._slots[target.name] = Slots(target)
        return found

    def queued(self, target_name: str) -> int:
        """How many wait for it."""
        found = self._slots.get(target_name)
        return found.queued if found is not None else 0
