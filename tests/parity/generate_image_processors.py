#!/usr/bin/env python3
"""Makes the fixtures of the image processors: small pictures, and what transformers makes of them.

    python tests/parity/generate_image_processors.py [--out tests/parity/fixtures/image_processor]

Needs torch, torchvision and transformers; the tests themselves do not. A case is a folder with what
`save_pretrained` writes, and

    inputs.safetensors    picture_0, picture_1, …: [height, width, 3] u8
    outputs.safetensors   pixel_values, and with LLaVA-OneVision image_sizes
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
import transformers
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPImageProcessor, LlavaOnevisionImageProcessor, SiglipImageProcessor


def picture(seed, height, width):
    """Waves, which show where pixels come from, and noise, which shows the filter."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(height) / 5, torch.arange(width) / 7, indexing="ij")
    waves = torch.stack([y.sin(), (x + y).cos(), (x * y / 9).sin()], dim=-1) * 90 + 128
    noise = torch.randn(height, width, 3, generator=generator) * 40
    return (waves + noise).clamp(0, 255).to(torch.uint8)


def write(folder, processor, sizes):
    shutil.rmtree(folder, ignore_errors=True)
    processor.save_pretrained(folder)
    pictures = [picture(seed, *size) for seed, size in enumerate(sizes)]
    images = [Image.fromarray(pixels.numpy()) for pixels in pictures]
    # A list in a list is one conversation with several pictures.
    nested = isinstance(processor, LlavaOnevisionImageProcessor) and len(images) > 1
    answer = processor([images] if nested else images, return_tensors="pt")
    save_file({f"picture_{i}": pixels for i, pixels in enumerate(pictures)}, folder / "inputs.safetensors")
    names = ("pixel_values", "image_sizes")
    outputs = {name: answer[name].contiguous() for name in names if name in answer}
    save_file(outputs, folder / "outputs.safetensors")
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder.name}: {list(outputs['pixel_values'].shape)}, {size / 1024:.0f} KiB")
    assert size <= 160 * 1024, "a fixture may have 160 KiB at most"


def older_config(folder, processor, sizes):
    """Plain numbers for sizes, and the kind under the name that folders had it until 2022."""
    write(folder, processor, sizes)
    path = folder / "preprocessor_config.json"
    config = json.loads(path.read_text())
    config["feature_extractor_type"] = "CLIPFeatureExtractor"
    del config["image_processor_type"]
    config["size"] = config["size"]["shortest_edge"]
    config["crop_size"] = config["crop_size"]["height"]
    path.write_text(json.dumps(config, indent=2) + "\n")


def whole_processor_config(folder, processor, sizes):
    """As a processor of pictures and words is saved: one file for both."""
    write(folder, processor, sizes)
    path = folder / "preprocessor_config.json"
    config = {"image_processor": json.loads(path.read_text()), "num_image_tokens": 9}
    (folder / "processor_config.json").write_text(json.dumps(config, indent=2) + "\n")
    path.unlink()


def cases():
    square = lambda side: {"height": side, "width": side}
    grid = [[20, 20], [20, 40], [40, 20], [40, 40], [20, 60], [60, 20]]
    clip = CLIPImageProcessor(size={"shortest_edge": 24}, crop_size={"height": 24, "width": 21})
    yield write, "clip_smaller_and_larger", clip, [(60, 41), (13, 17), (24, 30), (33, 90)]
    beyond = CLIPImageProcessor(size={"shortest_edge": 11}, crop_size=square(16), resample=2)
    yield write, "clip_crop_beyond_the_picture", beyond, [(40, 31), (23, 29)]
    older = CLIPImageProcessor(size={"shortest_edge": 18}, crop_size=square(18))
    yield older_config, "clip_older_config", older, [(40, 31)]
    yield write, "siglip_stretched", SiglipImageProcessor(size={"height": 20, "width": 26}), [(60, 41), (9, 12)]
    plain = SiglipImageProcessor(size=square(14), do_normalize=False, rescale_factor=1 / 127.5)
    yield write, "siglip_rescaled_only", plain, [(31, 20)]
    llava = LlavaOnevisionImageProcessor(size=square(20), image_grid_pinpoints=grid)
    yield write, "llava_one_in_tiles", llava, [(50, 71)]
    yield write, "llava_one_wide", llava, [(9, 61)]
    half = LlavaOnevisionImageProcessor(
        size=square(20), image_grid_pinpoints=grid, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    yield whole_processor_config, "llava_several", half, [(50, 71), (20, 20), (33, 8)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    here = Path(__file__).parent
    parser.add_argument("--out", type=Path, default=here / "fixtures/image_processor")
    arguments = parser.parse_args()
    for make, name, processor, sizes in cases():
        make(arguments.out / name, processor, sizes)
    print(f"torch {torch.__version__}, transformers {transformers.__version__}")


if __name__ == "__main__":
    main()
