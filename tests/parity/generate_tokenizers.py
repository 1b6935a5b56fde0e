#!/usr/bin/env python3
"""Makes the fixtures of the tokenizers: small ones of CLIP's and Qwen2's make, and the ids that
transformers gives a thousand strings.

    python tests/parity/generate_tokenizers.py [--out tests/parity/fixtures/tokenizer]

Needs transformers; the tests themselves do not. A case is a folder with what `save_pretrained`
writes (tokenizer.json and tokenizer_config.json), and texts.json: pairs of a string and its ids.
CLIP's are cut and filled up to `LONGEST` tokens, as a pipeline asks for them; Qwen2's are not.
"""

import argparse
import json
import os
import random
import shutil
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import transformers
from tokenizers import pre_tokenizers, trainers
from transformers import AutoTokenizer, CLIPTokenizer, Qwen2Tokenizer

TEXTS = 1000
LONGEST = 16
MERGES = 250

WORDS = """a the of with and in on at red green blue golden small large old young apple tree house
river mountain portrait photograph painting watercolour oil render detailed light shadow morning
night winter summer cat dog bird horse woman man child city street forest ocean sky cloud dream
Where When Which preferred picture style SUNSET Paris McDonald naïve café Ångström straße ИСКУССТВО
Σίσυφος İstanbul""".split()
ENDINGS = ["", "", "", ",", ".", "!", "?!", "...", "'s", "'ll", "'T", "’s", "-", ":", ";", ")", '"']
NUMBERS = ["7", "42", "1999", "3.14", "1/2", "٣٤", "Ⅷ", "½", "10,000", "x2", "4k"]
CJK = ["紅い林檎", "一只猫在河边", "한국의 가을", "日本語ﾃｷｽﾄ", "。", "、", "香港", "𠮷野家", "きょう"]
OTHER = ["नमस्ते", "السلام", "עברית", "ไทย", "cafe\u0301", "e\u0301\u0323", "A\u030a", "ﬁn", "\u0301"]
EMOJI = ["🍎", "😀😀", "👩‍👩‍👧", "🇯🇵", "👍🏽", "❤️", "🏴‍☠️", "☀", "™", "1️⃣"]
SPACES = [" ", " ", " ", " ", " ", "  ", "\t", "\n", "\r\n", "\n\n  ", "\u00a0", "\u3000", "\u200b", ""]
SPECIAL = ["<|endoftext|>", "<|startoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<|", "</w>", "Ġ"]
FIXED = ["", " ", "\n", "\t \r\n", "\0", "\ufeff", "\ufffd", "a", "🍎", "<|endoftext|>", "word " * 40, "é" * 60]


def texts():
    draw = random.Random(1)
    pools = [(WORDS, 12), (NUMBERS, 2), (CJK, 2), (OTHER, 2), (EMOJI, 2), (SPECIAL, 1)]
    weighted = [pool for pool, weight in pools for _ in range(weight)]
    found = dict.fromkeys(FIXED)
    while len(found) < TEXTS:
        if draw.random() < 0.1:
            # Any characters at all, but none of the surrogates, which are no text.
            ranges = [(0, 0x7F), (0x80, 0x2FF), (0x370, 0xD7FF), (0xE000, 0x1FFFF), (0x20000, 0x10FFFF)]
            text = "".join(chr(draw.randint(*draw.choice(ranges))) for _ in range(draw.randint(1, 8)))
        else:
            longest = 30 if draw.random() < 0.03 else 5
            text = ""
            for _ in range(draw.randint(1, longest)):
                text += draw.choice(draw.choice(weighted)) + draw.choice(ENDINGS) + draw.choice(SPACES)
        found.setdefault(text)
    return list(found)


def train(tokenizer, suffix, merges=MERGES):
    """Vocabulary and merges as the two models have them: bytes, with CLIP also bytes that end a
    word, then what the merges make."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_alone = alphabet + [byte + suffix for byte in alphabet if suffix]
    trainer = trainers.BpeTrainer(
        vocab_size=len(bytes_alone) + merges,
        min_frequency=2,
        initial_alphabet=alphabet,
        end_of_word_suffix=suffix,
        show_progress=False,
    )
    backend = tokenizer.backend_tokenizer
    backend.train_from_iterator(texts() + WORDS * 3, trainer)
    merges = [tuple(merge) for merge in json.loads(backend.to_str())["model"]["merges"]]
    tokens = dict.fromkeys(bytes_alone + [first + second for first, second in merges])
    return {token: i for i, token in enumerate(tokens)}, merges


def write(folder, tokenizer, **arguments):
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()), ensure_ascii=False) + "\n")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    pairs = [[text, tokenizer(text, **arguments).input_ids] for text in texts()]
    rows = ",\n".join(json.dumps(pair, separators=(",", ":")) for pair in pairs)
    (folder / "texts.json").write_text(f"[\n{rows}\n]\n")
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder.name}: {len(tokenizer)} tokens, {size / 1024:.0f} KiB")
    assert size <= 160 * 1024, "a fixture may have 160 KiB at most"


def clip(folder):
    start, end = "<|startoftext|>", "<|endoftext|>"
    vocabulary, merges = train(CLIPTokenizer(), "</w>")
    vocabulary |= {start: len(vocabulary), end: len(vocabulary) + 1}
    tokenizer = CLIPTokenizer(vocabulary, merges, model_max_length=LONGEST)
    write(folder, tokenizer, padding="max_length", truncation=True, max_length=LONGEST)


def qwen2(folder):
    vocabulary, merges = train(Qwen2Tokenizer(), "")
    vocabulary["<|endoftext|>"] = len(vocabulary)
    tokenizer = Qwen2Tokenizer(vocabulary, merges, eos_token="<|im_end|>")
    added = ["<|im_start|>", "<|im_end|>", "<image>", "<video>"]
    tokenizer.add_tokens(added, special_tokens=True)
    write(folder, tokenizer)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "fixtures/tokenizer")
    arguments = parser.parse_args()
    for make in (clip, qwen2):
        make(arguments.out / make.__name__)
    print(f"transformers {transformers.__version__}")


if __name__ == "__main__":
    main()
