"""Every public name of the packages says what it is for."""

import importlib
import inspect
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from types import FunctionType, ModuleType

import pytest

from repository import package_modules


@pytest.mark.parametrize("name", package_modules())
def test_public_names_have_a_docstring(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} has no docstring"
    assert list(undocumented(module)) == []


def undocumented(module: ModuleType) -> Iterator[str]:
    """The public classes, functions and methods defined in a module that no docstring explains."""
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value) and not value.__doc__:
            yield name
        if inspect.isclass(value):
            # A dataclass or named tuple without a docstring is given its signature as one.
            if not value.__doc__ or value.__doc__.startswith(f"{name}("):
                yield name
            yield from (f"{name}.{method}" for method in undocumented_methods(value))


def undocumented_methods(cls: type) -> Iterator[str]:
    """Public methods that neither say what they do nor stand in for one that a base or a protocol explains."""
    for name, method in public_methods(cls).items():
        inherited = any(hasattr(base, name) for base in cls.__mro__[1:])
        if not method.__doc__ and not inherited and not explained_by_protocol(cls, name):
            yield name


def explained_by_protocol(cls: type, name: str) -> bool:
    """Whether the class fits a protocol of the packages, which need not be its base, that documents this method."""
    fitting = (methods for methods in protocols() if all(hasattr(cls, method) for method in methods))
    return any(name in methods and methods[name].__doc__ for methods in fitting)


@cache
def protocols() -> tuple[dict[str, FunctionType], ...]:
    """The methods of every protocol of the packages."""
    values: list[object] = []
    for name in package_modules():
        with suppress(ImportError):  # which fails the test of that module
            values += vars(importlib.import_module(name)).values()
    found = {value for value in values if inspect.isclass(value) and getattr(value, "_is_protocol", False)}
    return tuple(public_methods(protocol) for protocol in found)


def public_methods(cls: type) -> dict[str, FunctionType]:
    """What a class itself defines: the functions behind its methods, class methods, static methods and properties."""
    found = {}
    for name, value in vars(cls).items():
        function = value.fget if isinstance(value, property) else inspect.unwrap(getattr(value, "__func__", value))
        if isinstance(function, FunctionType) and not name.startswith("_"):
            found[name] = function
    return found
