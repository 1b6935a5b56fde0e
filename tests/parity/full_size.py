#!/usr/bin/env python3
"""Compares networks of the published sizes with the reference libraries, without official weights.

    python tests/parity/full_size.py --program target/release/predilect --dir FOLDER [--only PART]

Writes random lite Stable Cascade U-Nets and a random LLaVA-OneVision of the 0.5B's shape in bf16 and
in the hub's layout, lets diffusers and transformers answer once, then `predilect model run` on the
same files, and compares. Needs about 6 GB of disk, torch, diffusers and transformers. What is in
FOLDER already is not written again.
"""

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

import torch
from diffusers import StableCascadeUNet
from safetensors.torch import load_file, save_file
from transformers import (
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    Qwen2Config,
    SiglipVisionConfig,
)

from generate import ATTN, RES, TIME, noise, randomise, tokens

LARGEST_ERROR = 2e-2


class StageC:
    """The prior on latents of 1024 pixels."""

    component, folder, stem = "stage-c", "stable-cascade-prior/prior_lite", "diffusion_pytorch_model"
    reference = StableCascadeUNet

    @staticmethod
    def build():
        layer = (RES, TIME, ATTN)
        return StableCascadeUNet(
            conditioning_dim=1536,
            block_out_channels=(1536, 1536),
            num_attention_heads=(24, 24),
            down_num_layers_per_block=(4, 12),
            up_num_layers_per_block=(12, 4),
            down_blocks_repeat_mappers=(1, 1),
            up_blocks_repeat_mappers=(1, 1),
            block_types_per_layer=(layer, layer),
            clip_text_in_channels=1280,
            clip_text_pooled_in_channels=1280,
            clip_image_in_channels=768,
            clip_seq=4,
            switch_level=(False,),
        )

    @staticmethod
    def inputs():
        return {
            "sample": noise(1, 1, 16, 24, 24),
            "timestep_ratio": torch.tensor([0.6]),
            "clip_text_pooled": noise(2, 1, 1, 1280),
            "clip_text": noise(3, 1, 77, 1280),
            "clip_img": torch.zeros(1, 1, 768),
        }

    @staticmethod
    def answer(model, inputs):
        # The reference gives the embedding the timestep's dtype, and its layers take only their own.
        embedding = model.get_timestep_ratio_embedding
        model.get_timestep_ratio_embedding = lambda ratio: embedding(ratio).to(torch.bfloat16)
        return {"sample": model(**inputs).sample}


class StageB(StageC):
    """The decoder on latents of 1024 pixels."""

    component, folder = "stage-b", "stable-cascade/decoder_lite"

    @staticmethod
    def build():
        layer = (RES, TIME, ATTN)
        return StableCascadeUNet(
            in_channels=4,
            out_channels=4,
            patch_size=2,
            conditioning_dim=1280,
            block_out_channels=(320, 576, 1152, 1152),
            num_attention_heads=(-1, 9, 18, 18),
            down_num_layers_per_block=(2, 4, 14, 4),
            up_num_layers_per_block=(4, 14, 4, 2),
            down_blocks_repeat_mappers=(1, 1, 1, 1),
            up_blocks_repeat_mappers=(2, 2, 2, 2),
            block_types_per_layer=((RES, TIME), (RES, TIME), layer, layer),
            clip_text_pooled_in_channels=1280,
            clip_seq=4,
            effnet_in_channels=16,
            pixel_mapper_in_channels=3,
            dropout=(0, 0, 0.1, 0.1),
            timestep_conditioning_type=("sca",),
        )

    @staticmethod
    def inputs():
        return {
            "sample": noise(1, 1, 4, 256, 256),
            "timestep_ratio": torch.tensor([0.4]),
            "clip_text_pooled": noise(2, 1, 1, 1280),
            "effnet": noise(3, 1, 16, 24, 24),
        }


class Vlm:
    """Two pictures in one conversation."""

    component, folder, stem = "vlm", "llava-onevision-qwen2-0.5b-ov-hf", "model"
    reference = LlavaOnevisionForConditionalGeneration

    @staticmethod
    def build():
        vision = SiglipVisionConfig(
            hidden_size=1152,
            intermediate_size=4304,
            num_hidden_layers=26,
            num_attention_heads=16,
            image_size=384,
            patch_size=14,
            vision_use_head=False,
        )
        text = Qwen2Config(
            vocab_size=152_000,
            hidden_size=896,
            intermediate_size=4864,
            num_hidden_layers=24,
            num_attention_heads=14,
            num_key_value_heads=2,
            max_position_embeddings=32_768,
            rope_theta=1e6,
            tie_word_embeddings=True,
        )
        config = LlavaOnevisionConfig(
            vision_config=vision.to_dict(), text_config=text.to_dict(), tie_word_embeddings=True
        )
        return LlavaOnevisionForConditionalGeneration(config)

    @staticmethod
    def inputs():
        placeholder = torch.full((1, 27 * 27 + 1), LlavaOnevisionConfig().image_token_index)
        ids = [tokens(1, 0, 1000, 1, 8), placeholder, tokens(2, 0, 1000, 1, 8), placeholder]
        ids = torch.cat([*ids, tokens(3, 0, 1000, 1, 8)], dim=1)
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "pixel_values": noise(4, 2, 1, 3, 384, 384),
            "image_sizes": torch.tensor([[384, 384]] * 2),
            "batch_num_images": torch.tensor([2]),
        }

    @staticmethod
    def answer(model, inputs):
        answer = model(**inputs, output_hidden_states=True, logits_to_keep=1)
        last = [state[0, -1] for state in answer.hidden_states]
        return {"hidden_states_last_token": torch.stack(last)}


def write(part, folder):
    with torch.device("meta"):
        model = part.build()
    model.to_empty(device="cpu")
    if part is Vlm:
        model.tie_weights()
    randomise(model, 1)
    count = sum(parameter.numel() for parameter in model.parameters())
    model.to(torch.bfloat16).save_pretrained(folder, max_shard_size="1GB")
    print(f"{part.component}: {count / 1e9:.3f} billion parameters written")


def refer(part, folder, inputs, path):
    model = part.reference.from_pretrained(folder, torch_dtype=torch.bfloat16).eval()
    narrow = lambda name, value: value.is_floating_point() and name != "timestep_ratio"
    inputs = {k: v.to(torch.bfloat16) if narrow(k, v) else v for k, v in inputs.items()}
    started = time.monotonic()
    outputs = part.answer(model, inputs)
    print(f"{part.component}: the reference took {time.monotonic() - started:.0f} s")
    save_file({k: v.float().contiguous() for k, v in outputs.items()}, path)


def run(part, program, folder, inputs, path):
    index = folder / f"{part.stem}.safetensors.index.json"
    weights = index if index.exists() else folder / f"{part.stem}.safetensors"
    arguments = ["--config", folder / "config.json", "--weights", weights]
    arguments += ["--inputs", inputs, "--output", path, "--dtype", "bf16"]
    started = time.monotonic()
    ran = subprocess.run(
        [program, "model", "run", part.component, *arguments], text=True, capture_output=True
    )
    if ran.returncode:
        sys.exit(ran.stderr)
    peak = re.search(r"peak memory (.*)", ran.stdout)
    taken = f"{time.monotonic() - started:.0f} s with loading"
    print(f"{part.component}: predilect took {taken}, peak memory {peak.group(1) if peak else '?'}")


def compare(part, reference, answer):
    reference, answer = load_file(reference), load_file(answer)
    sound = True
    for name, wanted in reference.items():
        error = ((answer[name] - wanted).norm() / wanted.norm()).item()
        sound &= error < LARGEST_ERROR
        print(f"{part.component}: {name} {list(wanted.shape)} differs by {error:.1e}")
    return sound


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--only")
    arguments = parser.parse_args()
    sound = True
    for part in (StageC, StageB, Vlm):
        if arguments.only not in (None, part.component):
            continue
        folder = arguments.dir / "model" / part.folder
        case = arguments.dir / part.component
        case.mkdir(parents=True, exist_ok=True)
        inputs, reference, answer = (
            case / f"{name}.safetensors" for name in ("inputs", "reference", "answer")
        )
        if not (folder / "config.json").exists():
            write(part, folder)
        given = part.inputs()
        save_file(given, inputs)
        if not reference.exists():
            refer(part, folder, given, reference)
        run(part, arguments.program, folder, inputs, answer)
        sound &= compare(part, reference, answer)
    sys.exit(0 if sound else f"an answer differs by {LARGEST_ERROR} or more")


if __name__ == "__main__":
    main()
