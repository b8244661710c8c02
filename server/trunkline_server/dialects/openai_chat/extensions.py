"""What only one vendor of the chat completions wire has, merged into the wire objects that it belongs to."""

from collections.abc import Mapping

from trunkline_server.dialects import extensions as shared
from trunkline_server.dialects.json_values import Json
from trunkline_server.dialects.openai_chat.names import DIALECT
from trunkline_server.dialects.translation import Translation


def merge_extensions(wire: Json, extensions: Mapping[str, str], path: str, translation: Translation) -> None:
    """Merges those for this dialect or the target's kind of provider; see `dialects.extensions`."""
    shared.merge_extensions(wire, extensions, path, translation, DIALECT)
