"""How many tokens were probably used, where the provider never said."""

from trunkline.v1 import CompleteRequest, Part, Usage

# English text and code run at about four characters a token in today's vocabularies, other scripts at fewer. It is a
# rule of thumb (https://platform.openai.com/tokenizer says the same), which is why the figure is marked estimated.
CHARS_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
"""What roles and separators cost in chat templates, about."""


def estimated_usage(request: CompleteRequest, content_chars: int) -> Usage:
    """Usage of an answer that was cut off, was cancelled or came without any; input is at least one token."""
    chars = sum(_chars(part) for message in request.messages for part in message.parts)
    chars += sum(len(tool.name) + len(tool.description) + len(tool.parameters) for tool in request.tools)
    return Usage(
        input_tokens=max(1, tokens_of(chars) + TOKENS_PER_MESSAGE * len(request.messages)),
        output_tokens=tokens_of(content_chars),
        estimated=True,
    )


def tokens_of(chars: int) -> int:
    """How many tokens so many characters are, about."""
    return -(-chars // CHARS_PER_TOKEN)


def _chars(part: Part) -> int:
    """Characters of what is text; media are not counted, since no rule of thumb fits them."""
    match part.WhichOneof("content"):
        case "text" | "refusal" | "json" as kind:
            return len(getattr(part, kind))
        case "reasoning":
            return len(part.reasoning.text)
        case "tool_call":
            return len(part.tool_call.name) + len(part.tool_call.arguments)
        case "tool_result":
            return sum(_chars(inner) for inner in part.tool_result.parts)
        case _:
            return 0
