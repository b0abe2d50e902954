"""Named functions that a user may add to: by a call, or by an entry point of a package."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from typing import Any, Generic, TypeVar

from slth.errors import InvalidInput

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Entry(Generic[F]):
    """A registered function and what it does, in a line."""

    function: F
    summary: str


class Registry(Generic[F]):
    """Functions of one kind by name, those of slth first.

    A package adds one by an entry point, `NAME = "module:function"`, in the group; its summary is
    the first line of the function's docstring. Processes that start afresh, like the workers of a
    sweep, know entry points, but not what another process registered by a call.
    """

    def __init__(
        self,
        what: str,
        group: str,
        arguments: tuple[str, ...],
        reserved: tuple[str, ...] = (),
        default: tuple[str, ...] = (),
    ) -> None:
        """what: the kind, for messages. group: of entry points. arguments: what a function is
        called with, by position. reserved: names that mean something else.
        default: names of slth's own way, which is no function of this kind."""
        self._what = what
        self._group = group
        self._arguments = arguments
        self._reserved = (*default, *reserved)
        self._default = default
        self._entries: dict[str, Entry[F]] = {}

    def register(self, name: str, function: F, *, summary: str) -> None:
        """Add a function.

        Args:
            name: one word. function: called with `arguments`. summary: one line for help texts.

        Raises:
            InvalidInput: the name is taken or no word, the function cannot be called so, or the
                summary is no line of text.
        """
        # A clash with an entry point that was not looked for yet shows when it is.
        self._require_free(name, (*self._entries, *self.__dict__.get("_found", ())))
        self._require_fit(name, function)
        if not isinstance(summary, str) or len(summary.strip().splitlines()) != 1:
            raise InvalidInput(
                f"{self._what} {name!r} without a summary",
                got=repr(summary),
                expected="one line of text",
                fix="Say in a line what it does: help texts show it.",
            )
        self._entries[name] = Entry(function, summary)

    def names(self) -> tuple[str, ...]:
        """All names.

        Raises:
            InvalidInput: an entry point takes a name that is taken.
        """
        return (*self._entries, *self._found)

    def own(self) -> dict[str, Entry[F]]:
        """What was registered by a call, in order."""
        return dict(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __getitem__(self, name: str) -> F:
        """The function of that name.

        Raises:
            InvalidInput: there is none, or its entry point cannot be loaded or called as it must.
        """
        found = self._found
        if name in self._entries:
            return self._entries[name].function
        if name in found:
            return self._loaded(found[name])
        raise InvalidInput(
            f"unknown {self._what}",
            got=repr(name),
            expected=f"one of {', '.join((*self._default, *self._entries, *found))}",
            fix=f"Choose one, or add your own: an entry point in the group {self._group!r}.",
        )

    def described(self) -> str:
        """All names with their summaries, for help texts; it never fails."""
        texts = [f"{name} ({entry.summary})" for name, entry in self._entries.items()]
        for point in metadata.entry_points(group=self._group):
            texts.append(f"{point.name} (of {point.value.partition(':')[0]})")
        return "; ".join(texts)

    @cached_property
    def _found(self) -> dict[str, metadata.EntryPoint]:
        # Once a process: looking through all installed packages takes tens of milliseconds.
        found: dict[str, metadata.EntryPoint] = {}
        for point in metadata.entry_points(group=self._group):
            self._require_free(point.name, (*self._entries, *found))
            found[point.name] = point
        return found

    def _loaded(self, point: metadata.EntryPoint) -> F:
        try:
            function = point.load()
        except Exception as error:
            raise InvalidInput(
                f"{self._what} {point.name!r} cannot be loaded",
                got=f"{type(error).__name__}: {error}",
                expected=f"a function at {point.value}",
                fix=f"Mend or remove the package with this entry point of {self._group!r}.",
            ) from error
        self._require_fit(point.name, function)
        return function

    def _require_free(self, name: object, taken: object) -> None:
        if not isinstance(name, str) or not name or not name.replace("-", "_").isidentifier():
            raise InvalidInput(
                f"the name of a {self._what} is no word",
                got=repr(name),
                expected="letters, digits, - and _",
                fix="Choose a name that can be typed on a command line.",
            )
        if name in self._reserved or name in taken:  # type: ignore[operator]
            raise InvalidInput(
                f"the name of a {self._what} is taken",
                got=repr(name),
                expected=f"none of {', '.join((*self._reserved, *self._entries))}",
                fix="Choose another name.",
            )

    def _require_fit(self, name: str, function: object) -> None:
        wanted = f"{name}({', '.join(self._arguments)})"
        try:
            if not callable(function):
                raise TypeError("not a function")
            inspect.signature(function).bind(*self._arguments)
        except (TypeError, ValueError) as error:
            raise InvalidInput(
                f"{self._what} {name!r} cannot be called as it must be",
                got=f"{function!r} ({error})",
                expected=f"a function that can be called as {wanted}",
                fix=f"Let it take {len(self._arguments)} arguments by position.",
            ) from error
