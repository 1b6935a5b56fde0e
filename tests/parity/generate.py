#!/usr/bin/env python3
"""Makes the parity fixtures: small random networks of the reference libraries, with their answers.

    python tests/parity/generate.py [--out tests/parity/fixtures] [--only NETWORK[/CASE]]

Needs torch, torchvision, diffusers and transformers; the tests themselves do not. A case is a folder
FIXTURES/NETWORK/CASE with what `save_pretrained` writes (config.json and the weights, under the
library's own tensor names), and

    inputs.safetensors        the arguments of the forward pass, by the library's argument names
    outputs.safetensors       what the reference answers, f32
    outputs-bf16.safetensors  what it answers with weights and arguments in bfloat16, widened
                              to f32; timesteps stay f32

Every parameter is drawn anew after construction: the libraries start some at zero, and a path
multiplied by zero proves nothing.
"""

import argparse
import itertools
import json
import math
import os
import shutil
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import diffusers
import torchvision
import transformers
from diffusers import DDPMWuerstchenScheduler, StableCascadeUNet
from diffusers.pipelines.deprecated.wuerstchen.modeling_paella_vq_model import PaellaVQModel
from diffusers.schedulers import scheduling_ddpm_wuerstchen
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    Qwen2Config,
    Qwen2ForCausalLM,
    SiglipVisionConfig,
    SiglipVisionModel,
)

CASES = {}

# Greedy tokens only compare when the best token leads by more than rounding noise.
SMALLEST_LEAD = 1e-3


def case(network):
    """Registers a function that writes one case; its name is the case's."""

    def register(function):
        CASES[f"{network}/{function.__name__}"] = function
        return function

    return register


@torch.no_grad()
def randomise(model, seed, gain=1.0):
    """Draws every parameter and running statistic anew, so that every path matters."""
    generator = torch.Generator().manual_seed(seed)
    normal = lambda like, std: torch.randn(like.shape, generator=generator) * std
    for name, parameter in model.named_parameters():
        if parameter.dim() >= 2 and "embedding" not in name and "embed_tokens" not in name:
            fan_in = math.prod(parameter.shape[1:])
            # Four-dimensional gains of GlobalResponseNorm have no fan-in.
            std = 0.5 if parameter.shape[0] == 1 else gain / math.sqrt(fan_in)
            parameter.copy_(normal(parameter, std))
        elif parameter.dim() >= 2:
            std = gain / math.sqrt(math.prod(parameter.shape[1:])) if parameter.dim() == 4 else 0.7
            parameter.copy_(normal(parameter, std))
        elif "norm" in name and name.endswith("weight"):
            parameter.copy_(1 + normal(parameter, 0.3))
        else:
            parameter.copy_(normal(parameter, 0.3))
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(normal(buffer, 0.5))
        elif name.endswith("running_var"):
            buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))
    return model.eval()


def noise(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def tokens(seed, low, high, *shape):
    return torch.randint(low, high, shape, generator=torch.Generator().manual_seed(seed))


def write(folder, model, inputs, outputs):
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    save_file({k: v.contiguous() for k, v in inputs.items()}, folder / "inputs.safetensors")
    for name, value in outputs.items():
        assert value.dtype == torch.int64 or torch.isfinite(value).all(), f"{name} is not finite"
    save_file({k: v.contiguous() for k, v in outputs.items()}, folder / "outputs.safetensors")


def write_bf16(folder, model, inputs, answer):
    """What the reference answers in bfloat16; `answer` maps the arguments to named tensors.

    Timesteps stay f32: between two neighbouring bfloat16 numbers lie many periods of an
    embedding. Call it last, it narrows the model for good.
    """
    model.to(torch.bfloat16)
    kept = ("timestep_ratio", "sca", "crp")
    narrow = lambda name, value: value.is_floating_point() and name not in kept
    outputs = answer(
        {k: v.to(torch.bfloat16) if narrow(k, v) else v for k, v in inputs.items()}
    )
    save_file(
        {k: v.float().contiguous() for k, v in outputs.items()},
        folder / "outputs-bf16.safetensors",
    )


# --- StableCascadeUNet -------------------------------------------------------------------------


def unet(folder, seed, inputs, **config):
    model = randomise(StableCascadeUNet(**config), seed)
    write(folder, model, inputs, {"sample": model(**inputs).sample})
    # The reference gives the embedding the timestep's dtype, and its layers take only their own.
    embedding = model.get_timestep_ratio_embedding
    model.get_timestep_ratio_embedding = lambda ratio: embedding(ratio).to(torch.bfloat16)
    write_bf16(folder, model, inputs, lambda given: {"sample": model(**given).sample})


RES, TIME, ATTN = "SDCascadeResBlock", "SDCascadeTimestepBlock", "SDCascadeAttnBlock"


@case("stable_cascade_unet")
def prior(folder):
    """As Stage C: text, pooled text and picture conditions, a switch level, a non-square latent."""
    unet(
        folder,
        1,
        {
            "sample": noise(1, 2, 4, 5, 7),
            "timestep_ratio": torch.tensor([0.9, 0.35]),
            "clip_text_pooled": noise(2, 2, 1, 6),
            "clip_text": noise(3, 2, 5, 7),
            "clip_img": noise(4, 2, 1, 5),
        },
        in_channels=4,
        out_channels=4,
        timestep_ratio_embedding_dim=6,
        conditioning_dim=8,
        block_out_channels=(8, 12),
        num_attention_heads=(2, 3),
        down_num_layers_per_block=(1, 2),
        up_num_layers_per_block=(2, 1),
        down_blocks_repeat_mappers=(1, 1),
        up_blocks_repeat_mappers=(1, 1),
        block_types_per_layer=((RES, TIME, ATTN), (RES, TIME, ATTN)),
        clip_text_in_channels=7,
        clip_text_pooled_in_channels=6,
        clip_image_in_channels=5,
        clip_seq=3,
        switch_level=(False,),
    )


@case("stable_cascade_unet")
def decoder(folder):
    """As Stage B: patches of two, four levels of which two have attention, repeat mappers, effnet."""
    unet(
        folder,
        2,
        {
            "sample": noise(1, 2, 2, 36, 28),
            "timestep_ratio": torch.tensor([0.05, 0.7]),
            "clip_text_pooled": noise(2, 2, 1, 6),
            "effnet": noise(3, 2, 4, 5, 3),
            "pixels": noise(4, 2, 3, 6, 4),
        },
        in_channels=2,
        out_channels=2,
        timestep_ratio_embedding_dim=4,
        patch_size=2,
        conditioning_dim=6,
        block_out_channels=(4, 6, 8, 8),
        num_attention_heads=(-1, -1, 2, 4),
        down_num_layers_per_block=(1, 1, 2, 1),
        up_num_layers_per_block=(1, 2, 1, 1),
        down_blocks_repeat_mappers=(1, 1, 1, 1),
        up_blocks_repeat_mappers=(3, 3, 2, 2),
        block_types_per_layer=((RES, TIME), (RES, TIME), (RES, TIME, ATTN), (RES, TIME, ATTN)),
        clip_text_pooled_in_channels=6,
        clip_seq=2,
        effnet_in_channels=4,
        pixel_mapper_in_channels=3,
        dropout=(0, 0, 0.1, 0.1),
        timestep_conditioning_type=("sca",),
    )


@case("stable_cascade_unet")
def one_level(folder):
    """A single level without attention, an odd timestep dimension, no further conditions, kernel 5."""
    unet(
        folder,
        3,
        {
            "sample": noise(1, 1, 3, 9, 3),
            "timestep_ratio": torch.tensor([0.5]),
            "clip_text_pooled": noise(2, 1, 2, 5),
        },
        in_channels=3,
        out_channels=5,
        timestep_ratio_embedding_dim=7,
        conditioning_dim=4,
        block_out_channels=(6,),
        num_attention_heads=(-1,),
        down_num_layers_per_block=(2,),
        up_num_layers_per_block=(3,),
        down_blocks_repeat_mappers=(2,),
        up_blocks_repeat_mappers=(3,),
        block_types_per_layer=((RES, TIME),),
        clip_text_pooled_in_channels=5,
        clip_seq=1,
        kernel_size=5,
        dropout=0.1,
        timestep_conditioning_type=(),
    )


@case("stable_cascade_unet")
def switched_levels(folder):
    """Bilinear switch levels on and off, cross-attention only on one level, sca and crp given."""
    unet(
        folder,
        4,
        {
            "sample": noise(1, 1, 4, 11, 6),
            "timestep_ratio": torch.tensor([0.2]),
            "clip_text_pooled": noise(2, 1, 1, 6),
            "clip_text": noise(3, 1, 4, 5),
            "clip_img": noise(4, 1, 2, 3),
            "sca": torch.tensor([0.4]),
            "crp": torch.tensor([0.8]),
        },
        in_channels=4,
        out_channels=4,
        timestep_ratio_embedding_dim=4,
        conditioning_dim=6,
        block_out_channels=(4, 8, 6),
        num_attention_heads=(1, 4, 2),
        down_num_layers_per_block=(1, 1, 1),
        up_num_layers_per_block=(1, 1, 2),
        down_blocks_repeat_mappers=(2, 1, 1),
        up_blocks_repeat_mappers=(1, 2, 1),
        block_types_per_layer=((RES, TIME, ATTN), (RES, TIME, ATTN), (RES, ATTN, TIME)),
        clip_text_in_channels=5,
        clip_text_pooled_in_channels=6,
        clip_image_in_channels=3,
        clip_seq=2,
        dropout=0.0,
        self_attn=(False, True, True),
        switch_level=(True, False),
    )


@case("stable_cascade_unet")
def pooled_text_only(folder):
    """Without a picture condition the reference drops the text tokens too: the same here."""
    unet(
        folder,
        5,
        {
            "sample": noise(1, 2, 4, 6, 6),
            "timestep_ratio": torch.tensor([0.9, 0.1]),
            "clip_text_pooled": noise(2, 2, 1, 6),
            "clip_text": noise(3, 2, 4, 5),
        },
        in_channels=4,
        out_channels=4,
        timestep_ratio_embedding_dim=4,
        conditioning_dim=6,
        block_out_channels=(6, 6),
        num_attention_heads=(2, 3),
        down_num_layers_per_block=(1, 1),
        up_num_layers_per_block=(1, 1),
        down_blocks_repeat_mappers=(1, 1),
        up_blocks_repeat_mappers=(1, 1),
        block_types_per_layer=((RES, TIME, ATTN), (RES, TIME, ATTN)),
        clip_text_in_channels=5,
        clip_text_pooled_in_channels=6,
        clip_image_in_channels=3,
        clip_seq=2,
    )


@case("stable_cascade_unet")
def odd_sizes_and_repeats(folder):
    """Strided levels at odd sides, repeat mappers both ways, dense and bare levels, two tokens
    of pooled text and of picture condition."""
    unet(
        folder,
        6,
        {
            "sample": noise(1, 2, 3, 13, 9),
            "timestep_ratio": torch.tensor([0.61, 0.003]),
            "clip_text_pooled": noise(2, 2, 2, 5),
            "clip_text": noise(3, 2, 3, 4),
            "clip_img": noise(4, 2, 2, 6),
            "effnet": noise(5, 2, 2, 3, 4),
        },
        in_channels=3,
        out_channels=2,
        timestep_ratio_embedding_dim=9,
        conditioning_dim=7,
        block_out_channels=(6, 8, 4),
        num_attention_heads=(0, 2, 1),
        down_num_layers_per_block=(1, 2, 1),
        up_num_layers_per_block=(2, 1, 2),
        down_blocks_repeat_mappers=(2, 1, 3),
        up_blocks_repeat_mappers=(1, 3, 2),
        block_types_per_layer=((RES,), (RES, ATTN, TIME), (ATTN, RES, TIME)),
        clip_text_in_channels=4,
        clip_text_pooled_in_channels=5,
        clip_image_in_channels=6,
        clip_seq=2,
        effnet_in_channels=2,
        dropout=0.1,
        self_attn=(True, False, True),
        timestep_conditioning_type=("crp",),
    )


# --- PaellaVQModel -----------------------------------------------------------------------------


def paella(folder, seed, picture, **config):
    model = randomise(PaellaVQModel(**config), seed)
    latents = model.encode(picture).latents
    write(
        folder,
        model,
        {"x": picture, "h": latents},
        {
            "latents": latents,
            "sample": model.decode(latents).sample,
            "quantized_sample": model.decode(latents, force_not_quantize=False).sample,
        },
    )
    write_bf16(
        folder,
        model,
        {"x": picture, "h": latents},
        lambda given: {
            "latents": model.encode(given["x"]).latents,
            "sample": model.decode(given["h"]).sample,
        },
    )


@case("paella_vq")
def two_levels(folder):
    """As Stage A, on a non-square picture."""
    paella(
        folder,
        1,
        noise(1, 2, 3, 12, 20),
        bottleneck_blocks=2,
        embed_dim=12,
        latent_channels=4,
        num_vq_embeddings=24,
    )


@case("paella_vq")
def one_level_factor_four(folder):
    paella(
        folder,
        2,
        noise(2, 1, 1, 12, 4),
        in_channels=1,
        out_channels=2,
        up_down_scale_factor=4,
        levels=1,
        bottleneck_blocks=1,
        embed_dim=10,
        latent_channels=3,
        num_vq_embeddings=7,
        scale_factor=0.5,
    )


@case("paella_vq")
def three_levels(folder):
    paella(
        folder,
        3,
        noise(3, 1, 3, 16, 24),
        levels=3,
        bottleneck_blocks=1,
        embed_dim=16,
        latent_channels=5,
        num_vq_embeddings=16,
    )


# --- DDPMWuerstchenScheduler -------------------------------------------------------------------


def scheduler(folder, steps, **config):
    scheduler = DDPMWuerstchenScheduler(**config)
    scheduler.set_timesteps(steps)
    timesteps = scheduler.timesteps
    shape = (2, 3, 4, 5)
    sample, drawn, clean = noise(1, *shape), noise(2, steps, *shape), noise(3, *shape)
    predicted = noise(4, steps, *shape)
    asked = torch.tensor([0.0, 0.013, 0.25, 0.5, 0.77, 0.999, 1.0])

    original = scheduling_ddpm_wuerstchen.randn_tensor
    walk = [sample]
    try:
        for i, t in enumerate(timesteps[:-1]):
            # The scheduler draws its own noise; the test has to know it.
            scheduling_ddpm_wuerstchen.randn_tensor = lambda *_, **__: drawn[i]
            walk.append(scheduler.step(predicted[i], t.expand(2), walk[-1]).prev_sample)
    finally:
        scheduling_ddpm_wuerstchen.randn_tensor = original

    at = torch.tensor([0.3, 0.95])
    scheduler.save_pretrained(folder)
    save_file(
        {
            "asked": asked,
            "sample": sample,
            "predicted": predicted,
            "noise": drawn,
            "clean": clean,
            "at": at,
        },
        folder / "inputs.safetensors",
    )
    save_file(
        {
            "timesteps": timesteps,
            "alpha_cumprod": scheduler._alpha_cumprod(asked, asked.device),
            "walk": torch.stack(walk[1:]),
            "noisy": scheduler.add_noise(clean, drawn[0], at),
        },
        folder / "outputs.safetensors",
    )


@case("ddpm_wuerstchen_scheduler")
def default(folder):
    scheduler(folder, 5)


@case("ddpm_wuerstchen_scheduler")
def scaler_above_one(folder):
    scheduler(folder, 4, scaler=1.7, s=0.02)


@case("ddpm_wuerstchen_scheduler")
def scaler_below_one(folder):
    scheduler(folder, 3, scaler=0.6)


def noising(folder, steps, sample, at, **config):
    """The scheduler as one component: its timesteps, its schedule there, and noise added."""
    scheduler = DDPMWuerstchenScheduler(**config)
    scheduler.set_timesteps(steps)
    timesteps = scheduler.timesteps
    drawn = noise(2, *sample.shape)
    (folder / "config.json").write_text(
        json.dumps(dict(scheduler.config) | {"steps": steps}, indent=2) + "\n"
    )
    save_file(
        {"sample": sample, "noise": drawn, "add_noise_timesteps": at},
        folder / "inputs.safetensors",
    )
    save_file(
        {
            "timesteps": timesteps,
            "alpha_cumprod": scheduler._alpha_cumprod(timesteps, timesteps.device),
            "noised": scheduler.add_noise(sample, drawn, at),
        },
        folder / "outputs.safetensors",
    )
    shutil.copy(folder / "outputs.safetensors", folder / "outputs-bf16.safetensors")


@case("scheduler")
def twenty_steps(folder):
    noising(folder, 20, noise(1, 3, 4, 5, 7), torch.tensor([0.02, 0.5, 0.97]))


@case("scheduler")
def one_step_scaled(folder):
    noising(folder, 1, noise(1, 2, 6), torch.tensor([0.3, 1.0]), scaler=2.0, s=0.03)


# --- CLIP text encoder -------------------------------------------------------------------------


def clip(folder, seed, input_ids, attention_mask=None, **config):
    model = randomise(CLIPTextModelWithProjection(CLIPTextConfig(**config)), seed)
    inputs = {"input_ids": input_ids}
    if attention_mask is not None:
        inputs["attention_mask"] = attention_mask

    def outputs(given):
        answer = model(**given, output_hidden_states=True)
        return {
            "text_embeds": answer.text_embeds,
            "last_hidden_state": answer.last_hidden_state,
            "hidden_states": torch.stack(answer.hidden_states),
        }

    write(folder, model, inputs, outputs(inputs))
    write_bf16(folder, model, inputs, outputs)


@case("clip")
def quick_gelu_eos_id(folder):
    """Pooling at the first end-of-text token, padded with that same token."""
    ids = tokens(1, 2, 28, 3, 9)
    for row, end in enumerate([4, 8, 0]):
        ids[row, end:] = 29
    clip(
        folder,
        1,
        ids,
        vocab_size=30,
        hidden_size=12,
        intermediate_size=20,
        projection_dim=7,
        num_hidden_layers=3,
        num_attention_heads=3,
        max_position_embeddings=11,
        hidden_act="quick_gelu",
        bos_token_id=28,
        eos_token_id=29,
        pad_token_id=1,
    )


@case("clip")
def gelu_legacy_eos_padded(folder):
    """eos_token_id 2: pooling at the highest id; padding masked; the whole context in use."""
    ids = tokens(2, 3, 28, 2, 6)
    ids[0, 3], ids[1, 5] = 29, 29
    ids[0, 4:] = 1
    clip(
        folder,
        2,
        ids,
        attention_mask=torch.tensor([[1, 1, 1, 1, 0, 0], [1] * 6]),
        vocab_size=30,
        hidden_size=8,
        intermediate_size=24,
        projection_dim=10,
        num_hidden_layers=2,
        num_attention_heads=1,
        max_position_embeddings=6,
        hidden_act="gelu",
        layer_norm_eps=1e-3,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=1,
    )


@case("clip")
def one_layer_wide(folder):
    """One layer, a feed-forward narrower than the states, masked padding inside a short text."""
    ids = tokens(3, 2, 20, 2, 5)
    ids[:, 4] = 20
    clip(
        folder,
        3,
        ids,
        attention_mask=torch.tensor([[1, 1, 0, 1, 1], [1] * 5]),
        vocab_size=21,
        hidden_size=18,
        intermediate_size=10,
        projection_dim=18,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=40,
        hidden_act="gelu_new",
        bos_token_id=0,
        eos_token_id=20,
        pad_token_id=1,
    )


# --- CLIP vision encoder -----------------------------------------------------------------------


def clip_vision(folder, seed, pixel_values, **config):
    model = randomise(CLIPVisionModelWithProjection(CLIPVisionConfig(**config)), seed)
    inputs = {"pixel_values": pixel_values}

    def outputs(given):
        answer = model(**given, output_hidden_states=True)
        return {
            "image_embeds": answer.image_embeds,
            "last_hidden_state": answer.last_hidden_state,
            "hidden_states": torch.stack(answer.hidden_states),
        }

    write(folder, model, inputs, outputs(inputs))
    write_bf16(folder, model, inputs, outputs)


@case("clip_vision")
def quick_gelu(folder):
    clip_vision(
        folder,
        1,
        noise(1, 2, 3, 16, 16),
        hidden_size=12,
        intermediate_size=20,
        projection_dim=7,
        num_hidden_layers=3,
        num_attention_heads=3,
        image_size=16,
        patch_size=4,
    )


@case("clip_vision")
def gelu_odd_side(folder):
    """A side that is no multiple of the patch, one channel, one head, another epsilon."""
    clip_vision(
        folder,
        2,
        noise(2, 1, 1, 17, 17),
        hidden_size=10,
        intermediate_size=8,
        projection_dim=16,
        num_hidden_layers=2,
        num_attention_heads=1,
        num_channels=1,
        image_size=17,
        patch_size=5,
        hidden_act="gelu",
        layer_norm_eps=1e-3,
    )


# --- EfficientNet encoder ----------------------------------------------------------------------


class EfficientNetEncoder(torch.nn.Module):
    """As Stable Cascade's `modules/effnet.py`, with the backbone's sizes as an argument."""

    def __init__(self, stages, c_cond, c_latent):
        super().__init__()
        self.backbone = torchvision.models.EfficientNet(
            stages,
            dropout=0.2,
            last_channel=c_cond,
            norm_layer=lambda channels: torch.nn.BatchNorm2d(channels, eps=1e-3),
        ).features
        self.mapper = torch.nn.Sequential(
            torch.nn.Conv2d(c_cond, c_latent, kernel_size=1, bias=False),
            torch.nn.BatchNorm2d(c_latent, affine=False),
        )

    def forward(self, x):
        return self.mapper(self.backbone(x))


def efficientnet(folder, seed, x, stages, c_cond, c_latent):
    model = randomise(EfficientNetEncoder(stages, c_cond, c_latent), seed, gain=1.5)
    names = ("expand_ratio", "kernel", "stride", "input_channels", "out_channels", "num_layers")
    config = {
        "_class_name": "EfficientNetEncoder",
        "c_latent": c_latent,
        "c_cond": c_cond,
        "effnet": "efficientnet_v2_s",
        "inverted_residual_setting": [
            {"block": stage.block.__name__} | {name: getattr(stage, name) for name in names}
            for stage in stages
        ],
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file(model.state_dict(), folder / "model.safetensors")
    latents = model(x)
    assert latents.std() > 0.05, "an answer that hardly depends on the picture proves little"
    save_file({"x": x}, folder / "inputs.safetensors")
    save_file({"latents": latents.contiguous()}, folder / "outputs.safetensors")
    write_bf16(folder, model, {"x": x}, lambda given: {"latents": model(given["x"])})


@case("efficientnet")
def both_kinds_of_block(folder):
    """As EfficientNetV2-S, with fewer channels and blocks; a picture of odd sides."""
    from torchvision.models.efficientnet import FusedMBConvConfig, MBConvConfig

    efficientnet(
        folder,
        1,
        noise(1, 2, 3, 45, 34),
        [
            FusedMBConvConfig(1, 3, 1, 8, 8, 2),
            FusedMBConvConfig(4, 3, 2, 8, 8, 2),
            MBConvConfig(4, 3, 2, 8, 16, 2),
            MBConvConfig(6, 3, 1, 16, 16, 1),
            MBConvConfig(6, 3, 2, 16, 24, 1),
        ],
        c_cond=20,
        c_latent=5,
    )


@case("efficientnet")
def larger_kernels(folder):
    """Kernels of five, channels that torchvision rounds to multiples of eight, no expansion."""
    from torchvision.models.efficientnet import FusedMBConvConfig, MBConvConfig

    efficientnet(
        folder,
        2,
        noise(2, 1, 3, 33, 65),
        [
            FusedMBConvConfig(1.5, 5, 2, 4, 16, 2),
            MBConvConfig(1, 5, 1, 16, 16, 2),
        ],
        c_cond=12,
        c_latent=16,
    )


# --- the previewer of the original release -----------------------------------------------------


class Previewer(torch.nn.Module):
    """Stage C latents to small pictures: every layer is followed by GELU and batch norm."""

    def __init__(self, c_in, c_hidden, c_out):
        super().__init__()
        half, quarter = c_hidden // 2, c_hidden // 4
        blocks = [torch.nn.Conv2d(c_in, c_hidden, 1), torch.nn.Conv2d(c_hidden, c_hidden, 3, padding=1)]
        for before, after in ((c_hidden, half), (half, quarter), (quarter, quarter)):
            blocks.append(torch.nn.ConvTranspose2d(before, after, 2, stride=2))
            blocks.append(torch.nn.Conv2d(after, after, 3, padding=1))
        places = []
        for block in blocks:
            places += [block, torch.nn.GELU(), torch.nn.BatchNorm2d(block.out_channels)]
        self.blocks = torch.nn.Sequential(*places, torch.nn.Conv2d(quarter, c_out, 1))

    def forward(self, x):
        return self.blocks(x)


@case("previewer")
def non_square(folder):
    """As the release's, with fewer channels; a latent of odd sides."""
    config = {"c_in": 5, "c_hidden": 16, "c_out": 3}
    model = randomise(Previewer(**config), 1, gain=1.5)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file(model.state_dict(), folder / "model.safetensors")
    latents = noise(1, 2, 5, 3, 4)
    save_file({"latents": latents}, folder / "inputs.safetensors")
    save_file({"pictures": model(latents).contiguous()}, folder / "outputs.safetensors")


# --- SigLIP vision tower -----------------------------------------------------------------------


def siglip(folder, seed, pixel_values, interpolate, **config):
    model = randomise(SiglipVisionModel(SiglipVisionConfig(**config)), seed)
    answer = model(
        pixel_values, interpolate_pos_encoding=interpolate, output_hidden_states=True
    )
    outputs = {
        "last_hidden_state": answer.last_hidden_state,
        "hidden_states": torch.stack(answer.hidden_states),
    }
    if answer.pooler_output is not None:
        outputs["pooler_output"] = answer.pooler_output
    inputs = {
        "pixel_values": pixel_values,
        "interpolate_pos_encoding": torch.tensor([int(interpolate)]),
    }
    write(folder, model, inputs, outputs)


@case("siglip")
def with_head(folder):
    """The pooling head; a picture whose side is no multiple of the patch."""
    siglip(
        folder,
        1,
        noise(1, 2, 3, 14, 14),
        False,
        hidden_size=12,
        intermediate_size=20,
        num_hidden_layers=2,
        num_attention_heads=3,
        image_size=14,
        patch_size=4,
    )


@case("siglip")
def without_head_interpolated(folder):
    """No head; a non-square picture with interpolated positions, exact gelu, one channel."""
    siglip(
        folder,
        2,
        noise(2, 1, 1, 10, 25),
        True,
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_channels=1,
        image_size=15,
        patch_size=5,
        hidden_act="gelu",
        layer_norm_eps=1e-4,
        vision_use_head=False,
    )


# --- Qwen2 -------------------------------------------------------------------------------------


def assert_clear_lead(scores):
    for step in scores:
        best = step.float().topk(2).values
        lead = (best[:, 0] - best[:, 1]).min().item()
        assert lead > SMALLEST_LEAD, f"greedy tokens are ambiguous: a lead of only {lead:.1e}"


def greedy(model, inputs, max_new_tokens, stop, pad, repetition_penalty=1.0):
    """Tokens, and the hidden states of all layers at the last generated step."""
    answer = model.generate(
        **inputs,
        max_new_tokens=max_new_tokens,
        do_sample=False,
        eos_token_id=stop,
        pad_token_id=pad,
        repetition_penalty=repetition_penalty,
        return_dict_in_generate=True,
        output_hidden_states=True,
        output_scores=True,
    )
    assert_clear_lead(answer.scores)
    last = torch.stack([layer[:, -1] for layer in answer.hidden_states[-1]])
    return answer.sequences[:, inputs["input_ids"].shape[1] :], last


def qwen2(
    folder, seed, input_ids, attention_mask, max_new_tokens=0, repetition_penalty=1.0, **config
):
    model = randomise(Qwen2ForCausalLM(Qwen2Config(**config)), seed, gain=1.5)
    inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
    answer = model(**inputs, output_hidden_states=True)
    outputs = {"logits": answer.logits, "hidden_states": torch.stack(answer.hidden_states)}
    arguments = dict(inputs)
    if max_new_tokens:
        stop = config["eos_token_id"]
        generated, last = greedy(model, inputs, max_new_tokens, stop, 0, repetition_penalty)
        outputs |= {"generated": generated, "generated_hidden_states": last}
        arguments["max_new_tokens"] = torch.tensor([max_new_tokens])
        if repetition_penalty != 1.0:
            plain, _ = greedy(model, inputs, max_new_tokens, stop, 0)
            assert not torch.equal(plain, generated), "a penalty that changes nothing proves nothing"
            arguments["repetition_penalty"] = torch.tensor([repetition_penalty])
    write(folder, model, arguments, outputs)


@case("qwen2")
def grouped_tied_left_padded(folder):
    """Three query heads on one key head, tied embeddings, left padding, greedy generation."""
    mask = torch.tensor([[0, 0, 1, 1, 1, 1, 1], [1] * 7])
    qwen2(
        folder,
        1,
        tokens(1, 1, 40, 2, 7),
        mask,
        max_new_tokens=9,
        vocab_size=40,
        hidden_size=12,
        intermediate_size=20,
        num_hidden_layers=3,
        num_attention_heads=3,
        num_key_value_heads=1,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        eos_token_id=39,
        pad_token_id=0,
    )


@case("qwen2")
def penalty_on_repetition(folder):
    """Tokens of the prompt and of the answer are made less likely."""
    qwen2(
        folder,
        5,
        tokens(5, 1, 40, 2, 6),
        torch.tensor([[0, 1, 1, 1, 1, 1], [1] * 6]),
        max_new_tokens=8,
        repetition_penalty=1.4,
        vocab_size=40,
        hidden_size=12,
        intermediate_size=20,
        num_hidden_layers=2,
        num_attention_heads=3,
        num_key_value_heads=1,
        max_position_embeddings=64,
        eos_token_id=39,
        tie_word_embeddings=True,
    )


@case("qwen2")
def untied_right_padded(folder):
    """Its own output matrix, two groups of two heads, another rope base, right padding."""
    mask = torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0]])
    qwen2(
        folder,
        2,
        tokens(2, 1, 30, 2, 6),
        mask,
        vocab_size=30,
        hidden_size=16,
        intermediate_size=12,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=32,
        rms_norm_eps=1e-4,
        rope_parameters={"rope_type": "default", "rope_theta": 1000000.0},
        tie_word_embeddings=False,
        eos_token_id=29,
    )


@case("qwen2")
def older_config(folder):
    """Every head its own key; rope_theta at the top level, as hub folders had it until 2025."""
    qwen2(
        folder,
        3,
        tokens(3, 1, 25, 1, 5),
        torch.ones(1, 5, dtype=torch.long),
        max_new_tokens=6,
        vocab_size=25,
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=32,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0},
        eos_token_id=24,
    )
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    config["rope_scaling"] = None
    del config["layer_types"]
    path.write_text(json.dumps(config, indent=2) + "\n")


# --- LLaVA-OneVision ---------------------------------------------------------------------------


def llava(
    folder,
    seed,
    images,
    max_new_tokens,
    stop_at=None,
    batch_num_images=None,
    alone=False,
    vision=None,
    text=None,
    **config,
):
    """`images`: the height and width of each, those of the first conversation first;
    `batch_num_images`: how many each conversation has, all in one where not said, and where `alone`
    a conversation each picture, which the reference is not told; `stop_at`: which generated token
    to declare the stop."""
    vocabulary = 48
    placeholder = vocabulary - 1
    vision_config = SiglipVisionConfig(
        **{
            "hidden_size": 8,
            "intermediate_size": 12,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 12,
            "patch_size": 4,
            "vision_use_head": False,
        }
        | (vision or {})
    )
    text_config = Qwen2Config(
        **{
            "vocab_size": vocabulary,
            "hidden_size": 12,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 3,
            "num_key_value_heads": 1,
            "max_position_embeddings": 256,
            "tie_word_embeddings": True,
        }
        | (text or {})
    )
    model = randomise(
        LlavaOnevisionForConditionalGeneration(
            LlavaOnevisionConfig(
                vision_config=vision_config.to_dict(),
                text_config=text_config.to_dict(),
                image_token_index=placeholder,
                video_token_index=vocabulary - 2,
                **config,
            )
        ),
        seed,
        gain=1.5,
    )
    side, channels = vision_config.image_size, vision_config.num_channels
    counts = batch_num_images or [len(images)]
    # A picture that is the only one of its conversation is cut into tiles.
    single = [alone or count == 1 for count in counts for _ in range(count)]
    tiles = max(
        transformers.models.llava_onevision.modeling_llava_onevision.image_size_to_num_patches(
            list(size), model.config.image_grid_pinpoints, side
        )
        if cut
        else 1
        for size, cut in zip(images, single)
    )
    pictures = {
        "pixel_values": noise(seed, len(images), tiles, channels, side, side),
        "image_sizes": torch.tensor([list(size) for size in images]),
    }
    if not alone:
        pictures["batch_num_images"] = torch.tensor(counts)
    features = iter(enumerate(model.get_image_features(**pictures).pooler_output))
    conversations = []
    for number, count in enumerate(counts):
        ids = [tokens(seed + 100 * number, 1, 40, 1, 3)]
        for i, feature in itertools.islice(features, count):
            ids += [torch.full((1, len(feature)), placeholder), tokens(seed + 10 + i, 1, 40, 1, 2)]
        conversations.append(torch.cat(ids, dim=1))
    longest = max(ids.shape[1] for ids in conversations)
    filled = lambda ids: torch.nn.functional.pad(ids, (longest - ids.shape[1], 0))
    inputs = {
        "input_ids": torch.cat([filled(ids) for ids in conversations]),
        "attention_mask": torch.cat([filled(torch.ones_like(ids)) for ids in conversations]),
    } | pictures
    answer = model(**inputs, output_hidden_states=True)
    generated, last = greedy(model, inputs, max_new_tokens, None, 0)
    assert len(set(generated[0].tolist())) >= 3, "a walk that repeats itself proves little"
    arguments = inputs | {"max_new_tokens": torch.tensor([max_new_tokens])}
    if stop_at is not None:
        stop = generated[0, stop_at].item()
        generated, last = greedy(model, inputs, max_new_tokens, stop, 0)
        assert generated.shape[1] < max_new_tokens
        arguments["eos_token_id"] = torch.tensor([stop])
    write(
        folder,
        model,
        arguments,
        {
            "image_features": torch.cat(list(model.get_image_features(**pictures).pooler_output)),
            "logits": answer.logits,
            "hidden_states": torch.stack(answer.hidden_states),
            "generated": generated,
            "generated_hidden_states": last,
        },
    )

    def outputs(given):
        answer = model(**given, output_hidden_states=True)
        return {"logits": answer.logits, "hidden_states": torch.stack(answer.hidden_states)}

    write_bf16(folder, model, inputs, outputs)


def rename_weights(folder, rename):
    path = folder / "model.safetensors"
    renamed = {rename(name): tensor for name, tensor in load_file(path).items()}
    save_file(renamed, path, metadata={"format": "pt"})


@case("llava_onevision")
def several_pictures(folder):
    """Three pictures in one conversation: one base patch and one newline token each."""
    llava(folder, 4, [(12, 12), (20, 9), (12, 31)], 8)


@case("llava_onevision")
def several_pictures_newer_names(folder):
    """Two feature layers concatenated, "default" selection, untied output; names as of 2025.

    Stops at a stop token before the limit.
    """
    llava(
        folder,
        1,
        [(12, 12), (12, 12)],
        12,
        stop_at=5,
        vision={"num_hidden_layers": 3},
        text={"tie_word_embeddings": False, "num_key_value_heads": 3},
        vision_feature_layer=[-2, 1],
        vision_feature_select_strategy="default",
        projector_hidden_act="gelu_pytorch_tanh",
        multimodal_projector_bias=False,
    )

    def newer(name):
        name = name.replace("language_model.lm_head", "lm_head")
        name = name.replace("language_model.model.", "model.language_model.")
        name = name.replace("vision_tower.", "model.vision_tower.vision_model.")
        for part in ("multi_modal_projector", "image_newline"):
            name = name.replace(part, f"model.{part}")
        return name

    rename_weights(folder, newer)


@case("llava_onevision")
def one_picture_in_tiles(folder):
    """A single picture: the base patch, then the tiles of its grid, unpadded, a newline a row.

    Names as the published weights have them.
    """
    llava(
        folder,
        4,
        [(7, 20)],
        5,
        batch_num_images=[1],
        image_grid_pinpoints=[[12, 12], [12, 24], [24, 12], [24, 24]],
    )
    rename_weights(folder, lambda name: name.replace("vision_tower.", "vision_tower.vision_model."))


@case("llava_onevision")
def one_picture_in_many_tiles(folder):
    """A single picture whose tiles exceed anyres_max_1: its features are scaled down bilinearly."""
    llava(
        folder,
        1,
        [(30, 24)],
        4,
        batch_num_images=[1],
        image_grid_pinpoints=[[12, 12], [24, 24], [36, 24]],
        vision_aspect_ratio="anyres_max_1",
    )


@case("llava_onevision")
def two_conversations_padded(folder):
    """Two pictures in one conversation, one in tiles in the other; the shorter is padded on the left."""
    llava(
        folder,
        1,
        [(12, 12), (9, 14), (20, 11)],
        6,
        batch_num_images=[2, 1],
        image_grid_pinpoints=[[12, 12], [24, 12]],
    )


@case("llava_onevision")
def pictures_alone(folder):
    """No counts of pictures, as processors of before they were asked for gave them: each of the two
    is in tiles."""
    llava(
        folder,
        4,
        [(12, 20), (20, 12)],
        5,
        alone=True,
        image_grid_pinpoints=[[12, 12], [12, 24], [24, 12]],
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "fixtures")
    parser.add_argument("--only", default="", help="NETWORK or NETWORK/CASE")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    chosen = {name: make for name, make in CASES.items() if name.startswith(arguments.only)}
    if not chosen:
        sys.exit(f"no case starts with {arguments.only!r}; there are {', '.join(CASES)}")
    total = 0
    for name, make in chosen.items():
        folder = arguments.out / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)
        size = sum(file.stat().st_size for file in folder.iterdir())
        total += size
        print(f"{name}: {size / 1024:.0f} KiB")
        assert size <= 160 * 1024, "a fixture may have 160 KiB at most"
    print(
        f"{total / 1024:.0f} KiB in all; torch {torch.__version__}, diffusers "
        f"{diffusers.__version__}, transformers {transformers.__version__}"
    )


if __name__ == "__main__":
    main()
