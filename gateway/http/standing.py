"""How a call stands for whoever begins to watch it in the middle: the last that was told of it."""

from typing import Final

from ..calls.notices import Activity, Caption, KeyTold, Notice, Speaking, Supervised

__all__ = ["Standing"]

_LONGEST: Final = 2_000  # characters of a caption; a longer one comes with its next words
_MOST_PEOPLE: Final = 16  # who supervise


class Standing:
    """The last notices of one call, as many as there are kinds and people."""

    def __init__(self) -> None:
        self._activity: Activity | None = None
        self._key: KeyTold | None = None
        self._captions: dict[str, Caption] = {}  # the latest, by who says it
        self._speaking: dict[str, Speaking] = {}
        self._people: dict[str, Supervised] = {}

    @property
    def notices(self) -> list[Notice]:
        """What is to be told."""
        kept: list[Notice] = [*self._captions.values(), *self._speaking.values()]
        kept += [one for one in (self._activity, self._key) if one is not None]
        return [*kept, *self._people.values()]

    def take(self, notice: Notice) -> None:
        """Keep what was told, in place of what it makes out of date."""
        match notice:
            case Activity():
                self._activity = notice
            case KeyTold():
                self._key = notice
            case Caption(who=who) if len(notice.text) <= _LONGEST:
                self._captions[who] = notice
            case Caption(who=who):
                self._captions.pop(who, None)
            case Speaking(who=who, is_on=True):
                self._speaking[who] = notice
            case Speaking(who=who):
                self._speaking.pop(who, None)
            case Supervised(connection=connection, mode="leave"):
                self._people.pop(connection, None)
            case Supervised(connection=connection):
                self._people[connection] = notice
                if len(self._people) > _MOST_PEOPLE:
                    del self._people[next(iter(self._people))]
            case _:
                pass
