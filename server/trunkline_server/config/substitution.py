"""Environment variables in values: `${NAME}`, `${NAME:-default}`, and `$${` for the text `${` itself."""

import re
from collections.abc import Mapping, Sequence

_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}|\$\{")

# Who writes a secret where the name belongs must not find it in the error: only what is surely a name is shown.
_SURELY_A_NAME = re.compile(r"[A-Z_][A-Z0-9_]*|[a-z_]+")


class SubstitutionError(Exception):
    """Variables that are not set or not written as they must be. Its text never holds a value."""

    def __init__(self, messages: Sequence[str]) -> None:
        super().__init__("; ".join(messages))
        self.messages = tuple(messages)


def substitute(text: str, environment: Mapping[str, str]) -> str:
    """The text with every reference replaced. What is put in is not read again.

    The default stands in for a variable that is unset or empty, as in the shell. Raises SubstitutionError with every
    reference that cannot be replaced.
    """
    if "${" not in text:
        return text
    messages: list[str] = []

    def value_of(reference: re.Match[str]) -> str:
        if reference.group() == "$${":
            return "${"
        name, default = reference.groups()
        if name is None:
            messages.append("a variable is written ${NAME} or ${NAME:-default}, and ${ itself $${")
            return ""
        value = environment.get(name, "")
        if value or default is not None:
            return value or default
        shown = name if _SURELY_A_NAME.fullmatch(name) else "named here"
        state = f"empty: write ${{{name}:-}} if that is meant" if name in environment and shown == name else "not set"
        messages.append(f"the environment variable {shown} is {state}")
        return ""

    found = _REFERENCE.sub(value_of, text)
    if messages:
        raise SubstitutionError(messages)
    return found
