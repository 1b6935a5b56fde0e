#!/usr/bin/env python3
"""Makes the fixtures of whole pipelines: folders in the hub's layout with small random networks, and
what diffusers' StableCascadeCombinedPipeline draws with them from noise that is given.

    python tests/parity/generate_pipelines.py [--out tests/parity/fixtures/pipeline]

Needs torch, diffusers and transformers; the tests themselves do not. A case is a folder

    model/                the repositories, as `save_pretrained` writes them
    DRAWING.json          prompts, sizes in pixels, steps, guidance
    DRAWING.safetensors   prior.noise, decoder.noise   [steps, pictures, c, h, w]: where each
                                                       diffusion starts, then what its steps add
                          prior.steps, decoder.steps   [steps, pictures, c, h, w]: the latents
                                                       after each step
                          pictures                     [pictures, h, w, 3] u8
    reading.json          captions of four pairs of pictures
    reading.safetensors   pairs                        [pairs, 2, h, w, 3] u8, preferred first
                          tokens                       what LLaVA-OneVision says about them
                          hidden_states                [layers + 1, hidden] at its last step

Weights, noise and the decoder's steps are kept in half precision, which the reference's own numbers
were rounded to beforehand or, for the steps, are compared in.
"""

import argparse
import json
import os
import shutil
from pathlib import Path
from unittest import mock

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy
import torch
from diffusers import (
    DDPMWuerstchenScheduler,
    StableCascadeCombinedPipeline,
    StableCascadeDecoderPipeline,
    StableCascadePriorPipeline,
    StableCascadeUNet,
)
from diffusers.pipelines.deprecated.wuerstchen.modeling_paella_vq_model import PaellaVQModel
from diffusers.pipelines.stable_cascade import pipeline_stable_cascade, pipeline_stable_cascade_prior
from diffusers.schedulers import scheduling_ddpm_wuerstchen
from safetensors.torch import save_file
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessor,
    Qwen2Config,
    Qwen2Tokenizer,
    SiglipVisionConfig,
)

import generate_tokenizers
from generate import ATTN, RES, TIME, randomise
from generate_image_processors import picture

LARGEST_KIB = 300
PRIOR, DECODER = "stable-cascade-prior", "stable-cascade"
VLM = "llava-onevision-qwen2-tiny-ov-hf"
MERGES = 20

# The program's own words, `detailed_prompt` in model/src/preference/conversation.rs.
OPENING = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
    "Here are pairs of pictures. Both pictures of a pair were made for the same caption, and one "
    "person chose the picture they prefer.\n"
)
PAIR = "Pair {}. {}: <image> preferred, <image> dispreferred.\n"
CLOSING = (
    "Describe each pair and the differences between its two pictures. Then describe this person's "
    "taste: what they prefer and what they avoid.<|im_end|>\n<|im_start|>assistant\n"
)


def halved(model, seed):
    """Random weights that half precision holds exactly."""
    randomise(model, seed)
    return model.half().float()


def save_halved(pipeline, folder):
    for component in pipeline.components.values():
        if isinstance(component, torch.nn.Module):
            component.half()
    pipeline.save_pretrained(folder)
    for component in pipeline.components.values():
        if isinstance(component, torch.nn.Module):
            component.float()


def tokenizer(longest):
    start, end = "<|startoftext|>", "<|endoftext|>"
    vocabulary, merges = generate_tokenizers.train(CLIPTokenizer(), "</w>", MERGES)
    vocabulary |= {start: len(vocabulary), end: len(vocabulary) + 1}
    return CLIPTokenizer(vocabulary, merges, model_max_length=longest)


def text_encoder(words, longest, **config):
    end = words.convert_tokens_to_ids("<|endoftext|>")
    config = CLIPTextConfig(
        vocab_size=len(words),
        max_position_embeddings=longest,
        bos_token_id=end - 1,
        eos_token_id=end,
        **config,
    )
    return halved(CLIPTextModelWithProjection(config), 1)


def stage_a(seed, contrast, **config):
    """Stage A with pictures that are mostly neither black nor white."""
    model = halved(PaellaVQModel(num_vq_embeddings=8, bottleneck_blocks=1, **config), seed)
    with torch.no_grad():
        model.out_block[0].weight.mul_(contrast)
        model.out_block[0].bias.fill_(0.5)
    return model.half().float()


def official_proportions():
    """The scales of the published models: two levels each, one of the decoder's without attention."""
    words = tokenizer(12)
    text = text_encoder(
        words,
        12,
        hidden_size=6,
        intermediate_size=8,
        projection_dim=6,
        num_hidden_layers=2,
        num_attention_heads=2,
        hidden_act="gelu",
    )
    prior = StableCascadeUNet(
        in_channels=4,
        out_channels=4,
        timestep_ratio_embedding_dim=6,
        conditioning_dim=6,
        block_out_channels=(6, 8),
        num_attention_heads=(2, 4),
        down_num_layers_per_block=(1, 2),
        up_num_layers_per_block=(1, 1),
        down_blocks_repeat_mappers=(1, 1),
        up_blocks_repeat_mappers=(1, 1),
        block_types_per_layer=((RES, TIME, ATTN), (RES, TIME, ATTN)),
        clip_text_in_channels=6,
        clip_text_pooled_in_channels=6,
        clip_image_in_channels=5,
        clip_seq=4,
        switch_level=(False,),
    )
    decoder = StableCascadeUNet(
        in_channels=4,
        out_channels=4,
        timestep_ratio_embedding_dim=6,
        patch_size=2,
        conditioning_dim=8,
        block_out_channels=(6, 8),
        num_attention_heads=(0, 2),
        down_num_layers_per_block=(1, 1),
        up_num_layers_per_block=(1, 1),
        down_blocks_repeat_mappers=(1, 1),
        up_blocks_repeat_mappers=(2, 2),
        block_types_per_layer=((RES, TIME), (RES, TIME, ATTN)),
        clip_text_pooled_in_channels=6,
        clip_seq=4,
        effnet_in_channels=4,
        pixel_mapper_in_channels=3,
        timestep_conditioning_type=("sca",),
    )
    return (
        StableCascadePriorPipeline(
            tokenizer=words,
            text_encoder=text,
            prior=halved(prior, 2),
            scheduler=DDPMWuerstchenScheduler(),
        ),
        StableCascadeDecoderPipeline(
            tokenizer=words,
            text_encoder=text,
            decoder=halved(decoder, 3),
            scheduler=DDPMWuerstchenScheduler(),
            vqgan=stage_a(4, 0.05, levels=1, embed_dim=8, scale_factor=0.05),
        ),
    )


def other_proportions():
    """Other scales, a schedule for each diffusion, a tokenizer that cuts before the encoder must,
    three levels that switch."""
    words = tokenizer(7)
    text = text_encoder(
        words,
        10,
        hidden_size=6,
        intermediate_size=8,
        projection_dim=5,
        num_hidden_layers=1,
        num_attention_heads=3,
        hidden_act="quick_gelu",
    )
    prior = StableCascadeUNet(
        in_channels=3,
        out_channels=3,
        timestep_ratio_embedding_dim=4,
        conditioning_dim=6,
        block_out_channels=(6, 8),
        num_attention_heads=(1, 2),
        down_num_layers_per_block=(1, 1),
        up_num_layers_per_block=(1, 1),
        down_blocks_repeat_mappers=(1, 1),
        up_blocks_repeat_mappers=(1, 2),
        block_types_per_layer=((RES, TIME), (RES, TIME, ATTN)),
        clip_text_in_channels=6,
        clip_text_pooled_in_channels=5,
        clip_image_in_channels=3,
        clip_seq=2,
        switch_level=(True,),
    )
    decoder = StableCascadeUNet(
        in_channels=4,
        out_channels=4,
        timestep_ratio_embedding_dim=4,
        patch_size=1,
        conditioning_dim=5,
        block_out_channels=(4, 6, 6),
        num_attention_heads=(-1, -1, 3),
        down_num_layers_per_block=(1, 1, 1),
        up_num_layers_per_block=(1, 1, 1),
        down_blocks_repeat_mappers=(1, 1, 1),
        up_blocks_repeat_mappers=(2, 1, 1),
        block_types_per_layer=((RES, TIME), (RES, TIME), (RES, TIME, ATTN)),
        clip_text_pooled_in_channels=5,
        clip_seq=3,
        effnet_in_channels=3,
        dropout=(0.1, 0.1, 0.1),
        timestep_conditioning_type=(),
    )
    return (
        StableCascadePriorPipeline(
            tokenizer=words,
            text_encoder=text,
            prior=halved(prior, 5),
            scheduler=DDPMWuerstchenScheduler(scaler=1.5, s=0.02),
            resolution_multiple=16.0,
        ),
        StableCascadeDecoderPipeline(
            tokenizer=words,
            text_encoder=text,
            decoder=halved(decoder, 6),
            scheduler=DDPMWuerstchenScheduler(scaler=0.8),
            vqgan=stage_a(7, 0.05, levels=2, embed_dim=8, scale_factor=0.1),
            latent_dim_scale=4.0,
        ),
    )


def draw(prior, decoder, prompts, height, width, steps, decoder_steps, guidance, seed, per_prompt=1):
    """Draws, with every random number rounded to half precision, and keeps all that went on."""
    combined = StableCascadeCombinedPipeline(
        tokenizer=decoder.tokenizer,
        text_encoder=decoder.text_encoder,
        decoder=decoder.decoder,
        scheduler=decoder.scheduler,
        vqgan=decoder.vqgan,
        prior_prior=prior.prior,
        prior_text_encoder=prior.text_encoder,
        prior_tokenizer=prior.tokenizer,
        prior_scheduler=prior.scheduler,
    )
    # The combined pipeline makes its two with the published models' scales.
    combined.prior_pipe.register_to_config(resolution_multiple=prior.config.resolution_multiple)
    combined.decoder_pipe.register_to_config(latent_dim_scale=decoder.config.latent_dim_scale)
    combined.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(seed)
    noise, walks = [], {"prior": [], "decoder": []}

    def randn(shape, **_):
        noise.append(torch.randn(tuple(shape), generator=generator).half().float())
        return noise[-1]

    def keep(diffusion):
        def after(pipe, step, t, given):
            walks[diffusion].append(given["latents"])
            return given

        return after

    modules = (pipeline_stable_cascade, pipeline_stable_cascade_prior, scheduling_ddpm_wuerstchen)
    patches = [mock.patch.object(module, "randn_tensor", randn) for module in modules]
    for patch in patches:
        patch.start()
    pictures = combined(
        prompt=prompts,
        height=height,
        width=width,
        prior_num_inference_steps=steps,
        num_inference_steps=decoder_steps,
        prior_guidance_scale=guidance,
        num_images_per_prompt=per_prompt,
        output_type="np",
        prior_callback_on_step_end=keep("prior"),
        callback_on_step_end=keep("decoder"),
    ).images
    for patch in patches:
        patch.stop()
    assert len(noise) == steps + decoder_steps + 2
    between = ((pictures > 0) & (pictures < 1)).mean()
    spread = pictures.std()
    assert between > 0.7 and spread > 0.1, f"{between:.0%} between 0 and 1, deviation {spread:.3f}"
    # What the last step draws is multiplied by zero.
    return {
        "prior.noise": torch.stack(noise[:steps]).half(),
        "decoder.noise": torch.stack(noise[steps + 1 : -1]).half(),
        "prior.steps": torch.stack(walks["prior"]),
        "decoder.steps": torch.stack(walks["decoder"]).half(),
        "pictures": torch.from_numpy((pictures * 255).round().astype(numpy.uint8)),
    }


DRAWINGS = {
    official_proportions: {
        "guided_and_not_square": {
            "prompts": ["a red apple in the snow"],
            "height": 128,
            "width": 150,
            "steps": 3,
            "decoder_steps": 2,
            "guidance": 4.0,
        },
    },
    other_proportions: {
        "several_guided": {
            "prompts": ["a dog", "a painting of the old river in the morning light"],
            "height": 48,
            "width": 41,
            "steps": 4,
            "decoder_steps": 2,
            "guidance": 2.5,
        },
        "one_without_guidance": {
            "prompts": [""],
            "height": 32,
            "width": 64,
            "steps": 2,
            "decoder_steps": 3,
            "guidance": 1.0,
        },
    },
}


def reader():
    """A LLaVA-OneVision with its tokenizer and image processor."""
    vocabulary, merges = generate_tokenizers.train(Qwen2Tokenizer(), "", MERGES)
    vocabulary["<|endoftext|>"] = len(vocabulary)
    words = Qwen2Tokenizer(vocabulary, merges, eos_token="<|im_end|>")
    words.add_tokens(["<|im_start|>", "<|im_end|>", "<image>", "<video>"], special_tokens=True)
    vision = SiglipVisionConfig(
        hidden_size=8,
        intermediate_size=12,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=12,
        patch_size=4,
        vision_use_head=False,
    )
    text = Qwen2Config(
        vocab_size=len(words),
        hidden_size=12,
        intermediate_size=16,
        num_hidden_layers=3,
        num_attention_heads=3,
        num_key_value_heads=1,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
    )
    config = LlavaOnevisionConfig(
        vision_config=vision.to_dict(),
        text_config=text.to_dict(),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        video_token_index=words.convert_tokens_to_ids("<video>"),
        tie_word_embeddings=True,
    )
    model = randomise(LlavaOnevisionForConditionalGeneration(config), 8, gain=1.5)
    pictures = LlavaOnevisionImageProcessor(size={"height": 12, "width": 12})
    return model, words, pictures


def read(folder):
    """Four pairs in one conversation: the hidden states of all layers at the last generated step."""
    model, words, processor = reader()
    place = folder / "model" / VLM
    for part in (model.half(), words, processor):
        part.save_pretrained(place)
    # Read anew: narrowing has spoilt its rotary frequencies, which are no weights.
    model = LlavaOnevisionForConditionalGeneration.from_pretrained(place, dtype=torch.float32)
    captions = ["an apple", "a house", "an old dog", "a boat"]
    pairs = torch.stack([picture(seed, 10, 14) for seed in range(8)]).view(4, 2, 10, 14, 3)
    text = OPENING + "".join(PAIR.format(i + 1, c) for i, c in enumerate(captions)) + CLOSING
    given = processor([list(pairs.flatten(0, 1).permute(0, 3, 1, 2))], return_tensors="pt")
    features = model.get_image_features(**given).pooler_output
    placeholder = model.config.image_token_index
    ids = []
    for token in words(text).input_ids:
        ids += [token] * (len(features[0]) if token == placeholder else 1)
    ids = torch.tensor([ids])
    arguments = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "do_sample": False,
        "max_new_tokens": 12,
        "output_hidden_states": True,
        "return_dict_in_generate": True,
    }
    walk = model.generate(**arguments, **given).sequences[0, ids.shape[1] :].tolist()
    # Ends at the last token that is new in the walk, so that there is a walk.
    end = max(i for i, token in enumerate(walk) if token not in walk[:i])
    model.generation_config.eos_token_id = [walk[end]]
    model.generation_config.pad_token_id = 0
    answer = model.generate(**arguments, **given)
    spoken = answer.sequences[0, ids.shape[1] :]
    assert 3 <= len(spoken) < 12, f"{len(spoken)} tokens"
    last = torch.stack([state[0, -1] for state in answer.hidden_states[-1]])
    (folder / "reading.json").write_text(json.dumps({"captions": captions}, indent=2) + "\n")
    tensors = {"pairs": pairs, "tokens": spoken, "hidden_states": last}
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "reading.safetensors")
    print(f"reading: {ids.shape[1]} tokens, {len(spoken)} answered, states {list(last.shape)}")
    model.generation_config.save_pretrained(place)


def write(out, make, drawings):
    folder = out / make.__name__
    shutil.rmtree(folder, ignore_errors=True)
    prior, decoder = make()
    for i, (name, drawing) in enumerate(drawings.items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(drawing, indent=2) + "\n")
        tensors = draw(prior, decoder, **drawing, seed=i)
        tensors = {key: tensor.contiguous() for key, tensor in tensors.items()}
        save_file(tensors, folder / f"{name}.safetensors")
        sizes = ", ".join(f"{key} {list(tensor.shape)}" for key, tensor in tensors.items())
        spread = ", ".join(f"{tensors[key].float().std():.1f}" for key in ("prior.steps", "decoder.steps"))
        print(f"{make.__name__}/{name}: {sizes}; deviations {spread}")
    save_halved(prior, folder / "model" / PRIOR)
    save_halved(decoder, folder / "model" / DECODER)
    if make is official_proportions:
        read(folder)
    # The combined pipeline reads the prior's alone, and these are the same.
    for part in ("text_encoder", "tokenizer"):
        shutil.rmtree(folder / "model" / DECODER / part)
    for path in folder.rglob("tokenizer.json"):
        path.write_text(json.dumps(json.loads(path.read_text()), ensure_ascii=False) + "\n")


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "fixtures/pipeline")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for make, drawings in DRAWINGS.items():
        write(arguments.out, make, drawings)
    files = [path for path in arguments.out.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1024
    print(f"{len(files)} files, {size:.0f} KiB")
    assert size <= LARGEST_KIB, f"the fixtures may have {LARGEST_KIB} KiB at most"


if __name__ == "__main__":
    main()
