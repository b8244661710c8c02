"""Tokens in the newest form of the GenAI conventions, by what they stand for."""

from trunkline.v1 import ModalityTokens, Usage
from trunkline_server.telemetry.gen_ai_tokens import NewestTokens
from trunkline_server.telemetry.instruments import Counter, Instruments


def counted(*usages: Usage | None) -> dict[tuple[str, str], float]:
    """Tokens by the last part of the instrument's name and by modality; None: a failed attempt."""
    instruments = Instruments()
    tokens = NewestTokens(instruments, ("peer",))
    for usage in usages:
        if usage is None:
            tokens.add_none(("p",))
        else:
            tokens.add(("p",), "m", usage)
    return {
        (instrument.description.name.removeprefix("gen_ai.client.inference.usage."), values[-1]): total
        for instrument in instruments
        if isinstance(instrument, Counter)
        for values, total in instrument.series.items()
    }


def test_what_a_provider_splits_is_counted_by_modality_and_the_rest_as_unknown() -> None:
    usage = Usage(
        input_tokens=100,
        output_tokens=30,
        cache_read_tokens=8,
        input_by_modality=ModalityTokens(text=60, image=25, video=15),
        output_by_modality=ModalityTokens(text=10, audio=20),
    )
    assert counted(usage) == {
        ("input_tokens", "text"): 60,
        ("input_tokens", "image"): 25,
        ("input_tokens", "unknown"): 15,
        ("output_tokens", "text"): 10,
        ("output_tokens", "audio"): 20,
        ("cache_read.input_tokens", "unknown"): 8,
    }


def test_a_failed_attempt_counts_as_zero() -> None:
    assert counted(None) == {("input_tokens", "unknown"): 0, ("output_tokens", "unknown"): 0}
