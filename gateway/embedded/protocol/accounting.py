"""What a response cost, in tokens: audio by the clock, text by its length."""

from collections.abc import Iterable
from typing import Any

from .conversation import Entry, text_tokens

__all__ = ["usage"]


def usage(heard: tuple[int, int], said: Iterable[Entry], audio_tokens: int) -> dict[str, Any]:
    """Return the ``usage`` of a response.

    Args:
        heard: The tokens of what it was made of: of text, and of audio.
        said: Its items.
        audio_tokens: How much it spoke.

    """
    in_text, in_audio = heard
    out_text = sum(
        text_tokens(each.item.transcript) + text_tokens(each.item.arguments or "") for each in said
    )
    total_in, total_out = in_text + in_audio, out_text + audio_tokens
    return {
        "total_tokens": total_in + total_out,
        "input_tokens": total_in,
        "output_tokens": total_out,
        "input_token_details": {
            "text_tokens": in_text,
            "audio_tokens": in_audio,
            "image_tokens": 0,
            "cached_tokens": 0,
            "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": out_text, "audio_tokens": audio_tokens},
    }
