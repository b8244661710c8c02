"""What the error answers of the Responses wire mean."""

from collections.abc import Mapping

from trunkline.errors import GatewayError
from trunkline_server.dialects import openai_errors
from trunkline_server.dialects.openai_responses.fields import contract_field
from trunkline_server.providers.target import Target


def read_error(target: Target, status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    """The failure that an error answer means; a status of 2xx says that it came within an answer that began well."""
    return openai_errors.read_error(target, status, headers, body, fields=contract_field)
