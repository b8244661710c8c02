"""Write a tiny random-weight Llama with its own tokenizer, for a real engine to serve."""

import argparse
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

# In this order the trainer numbers them 0, 1, 2, ..., which build_config relies on.
PAD, BOS, TURN_START, TURN_END = SPECIAL_TOKENS = ("<pad>", "<s>", "<|turn_start|>", "<|turn_end|>")

# One answer can take half a minute on a CPU: a cancelled call must have something left to stop.
CONTEXT_TOKENS = 32_768
VOCABULARY_SIZE = 384  # 256 bytes, the special tokens and some merges: any text can be encoded
SEED = 20_011

TRAINING_TEXT = (
    "Which trunk carries the long distance calls out of the city tonight?",
    '{"tool": "find_route", "arguments": {"from": "Lyon", "to": "Oslo"}}',
)

# Roles are taken as they come; a message without content (a tool call) renders as an empty turn.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    f"{TURN_START}{{{{ message['role'] }}}}\n{{{{ message['content'] or '' }}}}{TURN_END}\n"
    "{% endfor %}"
    f"{{% if add_generation_prompt %}}{TURN_START}assistant\n{{% endif %}}"
)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer trained on a few lines, with a chat template."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(TRAINING_TEXT * 8, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token=BOS, eos_token=TURN_END, pad_token=PAD)
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def build_config(vocabulary_size: int) -> LlamaConfig:
    """Two narrow layers: under half a million parameters."""
    return LlamaConfig(
        vocab_size=vocabulary_size,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=CONTEXT_TOKENS,
        pad_token_id=SPECIAL_TOKENS.index(PAD),
        bos_token_id=SPECIAL_TOKENS.index(BOS),
        eos_token_id=SPECIAL_TOKENS.index(TURN_END),
    )


def make_tiny_model(directory: Path) -> None:
    """Write weights, config, tokenizer and chat template to `directory`, the same at every run."""
    torch.manual_seed(SEED)
    tokenizer = build_tokenizer()
    tokenizer.save_pretrained(directory)
    LlamaForCausalLM(build_config(len(tokenizer))).save_pretrained(directory)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outdir", type=Path, help="directory to write the model to; made if missing")
    make_tiny_model(parser.parse_args().outdir)
