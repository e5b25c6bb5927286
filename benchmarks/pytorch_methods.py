"""The iterations of neural_style --method neighbors and --method wasserstein, in PyTorch.

The same objectives of the same layers with the same weights, and the same optimiser: pixels from 0 to 1, or the levels
of their Laplacian pyramid, by Adam, and the mean of the pictures.
"""

import numpy
import torch
from PIL import Image
from torch.nn import functional

from pytorch_iteration import CONVOLUTIONS, MEAN, POOLS, STD, StyleTransfer


def nine_point_variation(image):
    """Differences of neighbours, squared; those at corners count a quarter."""
    padded = functional.pad(image, (1, 1, 1, 1), mode="replicate")
    inner = padded[:, :, 1:-1, 1:-1]
    straight = ((padded[:, :, 1:-1, 2:] - inner).square().mean() + (padded[:, :, 2:, 1:-1] - inner).square().mean())
    across = ((padded[:, :, 1:, 1:] - padded[:, :, :-1, :-1]).square().mean()
              + (padded[:, :, 1:, :-1] - padded[:, :, :-1, 1:]).square().mean())
    return straight * (2 / 3) + across / 6


def absolute_variation(image):
    down = (image[:, :, 1:, :] - image[:, :, :-1, :]).abs().mean()
    across = (image[:, :, :, 1:] - image[:, :, :, :-1]).abs().mean()
    return 0.5 * (down + across)


def enlarged(image, size):
    return functional.interpolate(image, size=size, mode="bilinear")


def sum_pyramid(levels):
    image = levels[-1]
    for level in reversed(levels[:-1]):
        image = level + enlarged(image, level.shape[2:])
    return image


class OfRelus(StyleTransfer):
    """What both methods share: features behind ReLUs, of a picture from 0 to 1."""

    layers_wanted = ()
    pyramid_levels = 0
    average_decay = 0.99
    learning_rate = 0.02
    tv_weight = 2.0
    padding = "zeros"  # of the first convolution

    def __init__(self, weights, content, style, size, channels_last=False, compiled=False):
        self.mean, self.std = (torch.tensor(of).reshape(1, 3, 1, 1) for of in (MEAN, STD))
        super().__init__(weights, content, style, size, channels_last=channels_last, compiled=compiled)
        self.average = torch.zeros_like(self.image)
        if self.pyramid_levels > 0:
            height, width = size
            self.levels = [torch.zeros(1, 3, max(1, height >> i), max(1, width >> i), requires_grad=True)
                           for i in range(self.pyramid_levels)]
        else:
            self.levels = [self.image]
        self.optimizer = torch.optim.Adam(self.levels, lr=self.learning_rate, betas=(0.9, 0.99))

    def iterate(self):
        self.image.grad = None
        loss = self.loss_of(self.image)
        loss.backward()
        if self.pyramid_levels > 0:
            gradients = torch.autograd.grad(sum_pyramid(self.levels), self.levels, self.image.grad)
            for level, gradient in zip(self.levels, gradients):
                level.grad = gradient
        self.optimizer.step()
        with torch.no_grad():
            if self.pyramid_levels > 0:
                self.image += sum_pyramid(self.levels)
                for level in self.levels:
                    level.zero_()
            self.image.clamp_(0, 1)
            self.average.mul_(self.average_decay).add_(self.image, alpha=1 - self.average_decay)
        return loss.item()

    def read(self, path, size):
        height, width = size
        picture = Image.open(path).convert("RGB").resize((width, height), Image.BILINEAR)
        pixels = numpy.asarray(picture, dtype=numpy.float32) / 255
        return torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()).contiguous(memory_format=self.layout)

    def features(self, image):
        image = (image - self.mean) / self.std
        found = {}
        for index in range(max(self.layers_wanted) + 1):
            if index in POOLS:
                image = functional.max_pool2d(image, 2)
            elif index in CONVOLUTIONS:
                if index == 0 and self.padding != "zeros":
                    image = functional.conv2d(functional.pad(image, (1, 1, 1, 1), mode=self.padding),
                                              *self.layers[index])
                else:
                    image = functional.conv2d(image, *self.layers[index], padding=1)
                image = functional.relu(image)
                if index in self.layers_wanted:
                    found[index] = image
        return found


class Neighbors(OfRelus):
    """Each position of the content is to look like the one of the style that is most like it."""

    layers_wanted = (0, 2, 5, 7, 10, 14, 19, 23)  # relu1_1 1_2 2_1 2_2 3_1 3_3 4_1 4_3
    pyramid_levels = 6
    average_decay = 0.9
    learning_rate = 0.01
    tv_weight = 0.15
    grid = 4

    def on_grid(self, feature, shape):
        size = [max(1, side // self.grid) for side in shape]
        if list(feature.shape[2:]) == size:
            return feature
        return functional.interpolate(feature, size=size, mode="bilinear", antialias=True)

    def prepare(self, content, style):
        vectors, means, together = {}, {}, {}
        for name, image in (("content", content), ("style", style)):
            found = self.features(image)
            vectors[name] = [self.on_grid(found[i], image.shape[2:])[0].flatten(1).T for i in self.layers_wanted]
            means[name] = [x.mean(0, keepdim=True) for x in vectors[name]]
            parts = [functional.normalize(x - mean, dim=1) for x, mean in zip(vectors[name], means[name])]
            together[name] = functional.normalize(torch.cat(parts, 1), dim=1)
        rows = 1024  # at a time
        nearest = torch.cat([(some @ together["style"].T).argmax(1) for some in together["content"].split(rows)])
        height, width = (side // self.grid for side in content.shape[2:])
        self.means = [mean.reshape(1, -1, 1, 1) for mean in means["style"]]
        self.goals = [(x[nearest] - mean).T.reshape(1, -1, height, width).contiguous(memory_format=self.layout)
                      for x, mean in zip(vectors["style"], means["style"])]

    def loss(self, image):
        found = self.features(image)
        total = self.tv_weight * absolute_variation((image - self.mean) / self.std)
        for index, mean, goal in zip(self.layers_wanted, self.means, self.goals):
            own = self.on_grid(found[index], image.shape[2:]) - mean
            total = total + (1 - functional.cosine_similarity(own, goal, dim=1)).mean()
        return total


def newton_schulz(matrix, iterations):
    """The root of a symmetric matrix and its inverse."""
    size = matrix.norm()
    identity = torch.eye(matrix.shape[0])
    y, z = matrix / size, identity
    for _ in range(iterations):
        t = 1.5 * identity - 0.5 * (z @ y)
        y, z = y @ t, t @ z
    return y * size.sqrt(), z / size.sqrt()


class TraceOfRoot(torch.autograd.Function):
    """Its gradient is half of the inverse root, which the iteration leaves."""

    @staticmethod
    def forward(ctx, matrix, iterations):
        root, inverse = newton_schulz(matrix, iterations)
        ctx.save_for_backward(inverse)
        return root.trace()

    @staticmethod
    def backward(ctx, gradient):
        (inverse,) = ctx.saved_tensors
        return gradient * 0.5 * inverse, None


class Wasserstein(OfRelus):
    """Means and covariances of features, as normal distributions."""

    style_layers = (0, 5, 10, 19, 28)  # relu1_1 2_1 3_1 4_1 5_1
    style_weights = tuple(weight / 341 for weight in (256, 64, 16, 4, 1))
    content_layer, content_weight = 21, 0.015  # relu4_2
    layers_wanted = (*style_layers, content_layer)
    padding = "replicate"
    root_iterations = 12
    by_eigenvalues = False

    def moments(self, feature):
        flat = feature[0].flatten(1)
        mean = flat.mean(1)
        covariance = flat @ flat.T / flat.shape[1] - torch.outer(mean, mean) + 1e-4 * torch.eye(len(mean))
        return mean, covariance

    def prepare(self, content, style):
        self.wanted_content = self.features(content)[self.content_layer]
        found = self.features(style)
        self.wanted = []
        for index in self.style_layers:
            mean, covariance = self.moments(found[index])
            self.wanted.append((mean, covariance.diagonal(), newton_schulz(covariance, self.root_iterations)[0]))

    def trace_of_root(self, matrix):
        if self.by_eigenvalues:
            return torch.linalg.eigvalsh(matrix).clamp(min=1e-12).sqrt().sum()
        return TraceOfRoot.apply(matrix, self.root_iterations)

    def loss(self, image):
        found = self.features(image)
        total = self.tv_weight * nine_point_variation(image)
        total = total + self.content_weight * (found[self.content_layer] - self.wanted_content).square().mean()
        for index, weight, (mean, variances, root) in zip(self.style_layers, self.style_weights, self.wanted):
            own_mean, own = self.moments(found[index])
            product = root @ own @ root
            spread = (own.diagonal() + variances).sum() - 2 * self.trace_of_root(product)
            total = total + weight * ((own_mean - mean).square().sum() + spread) / len(mean)
        return total


class WassersteinByEigenvalues(Wasserstein):
    by_eigenvalues = True
