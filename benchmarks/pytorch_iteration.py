"""The iteration of style transfer that compare_pytorch.py and pytorch_gpu.py time, in PyTorch.

VGG-19 forward to conv5_1, content, Gram-style and total-variation losses, backward to the image, one Adam step: what
neural_style --method gram computes. pytorch_methods.py has the other methods.
"""

import json

import numpy
import torch
from PIL import Image
from torch.nn import functional

# Indices in torchvision's vgg19().features: where losses look, and where max-pooling stands.
STYLE_LAYERS = (0, 5, 10, 19, 28)
CONTENT_LAYER = 25
CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28)
POOLS = (4, 9, 18, 27)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CONTENT_WEIGHT, STYLE_WEIGHT, TV_WEIGHT, LEARNING_RATE = 1.0, 1e3, 10.0, 0.01


def load_weights(path):
    """The tensors of a .safetensors file (read with NumPy alone) or a .pth file, by name."""
    if path.endswith(".pth"):
        return torch.load(path, map_location="cpu")
    types = {"F16": numpy.float16, "F32": numpy.float32, "F64": numpy.float64}
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            values = numpy.frombuffer(data[begin:end], types[entry["dtype"]]).astype(numpy.float32)
            tensors[name] = torch.from_numpy(values.reshape(entry["shape"]))
    return tensors


def gram(feature):
    channels, area = feature.shape[1], feature.shape[2] * feature.shape[3]
    flat = feature.reshape(channels, area)
    return flat @ flat.T / (channels * area)


class StyleTransfer:
    """One picture that is painted, from the content image on."""

    def __init__(self, weights, content, style, size, device="cpu", channels_last=False, bf16=False,
                 grams_in_float=False, compiled=False):
        """`size` is (height, width). With `bf16` the network runs under autocast."""
        self.device, self.bf16, self.grams_in_float = device, bf16, grams_in_float
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.load(weights)
        content, style = self.read(content, size), self.read(style, size)
        with torch.no_grad():
            self.prepare(content, style)
        self.image = content.clone().requires_grad_(True)
        self.optimizer = torch.optim.Adam([self.image], lr=LEARNING_RATE)
        self.loss_of = torch.compile(self.loss) if compiled else self.loss

    def load(self, weights):
        state = load_weights(weights)
        self.layers = {
            index: (
                state[f"features.{index}.weight"].to(self.device).contiguous(memory_format=self.layout),
                state[f"features.{index}.bias"].to(self.device),
            )
            for index in CONVOLUTIONS
        }

    def prepare(self, content, style):
        """Looks at both pictures once."""
        self.wanted_content = self.features(content)[CONTENT_LAYER].float()
        found = self.features(style)
        self.wanted_grams = {index: self.style_of(found[index]) for index in STYLE_LAYERS}

    def iterate(self):
        """One step; returns the loss before it."""
        self.optimizer.zero_grad()
        loss = self.loss_of(self.image)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def read(self, path, size):
        height, width = size
        picture = Image.open(path).convert("RGB").resize((width, height), Image.BILINEAR)
        pixels = (numpy.asarray(picture, dtype=numpy.float32) / 255 - numpy.float32(MEAN)) / numpy.float32(STD)
        image = torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy())
        return image.to(self.device).contiguous(memory_format=self.layout)

    def features(self, image):
        found = {}
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            for index in range(CONVOLUTIONS[-1] + 1):
                if index in self.layers:
                    image = functional.conv2d(image, *self.layers[index], padding=1)
                    found[index] = image
                elif index in POOLS:
                    image = functional.max_pool2d(image, 2)
                else:
                    image = functional.relu(image)
                    found[index - 1] = image  # behind the ReLU, as torchvision's in place leaves them
        return {index: found[index] for index in (*STYLE_LAYERS, CONTENT_LAYER)}

    def style_of(self, feature):
        return gram(feature.float() if self.grams_in_float else feature).float()

    def loss(self, image):
        found = self.features(image)
        total = CONTENT_WEIGHT * (found[CONTENT_LAYER].float() - self.wanted_content).square().mean()
        for index in STYLE_LAYERS:
            difference = self.style_of(found[index]) - self.wanted_grams[index]
            total = total + STYLE_WEIGHT * difference.square().mean()
        down = (image[:, :, 1:, :] - image[:, :, :-1, :]).abs().mean()
        across = (image[:, :, :, 1:] - image[:, :, :, :-1]).abs().mean()
        return total + TV_WEIGHT * 0.5 * (down + across)
