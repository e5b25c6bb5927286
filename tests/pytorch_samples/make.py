#!/usr/bin/env python3
"""Makes cases.txt and numbers.f64 from the sample inputs with which PyTorch tests its own operators.

Needs PyTorch (here 2.15) and what torch.testing._internal imports (expecttest). Run in this folder:

    python make.py

Every operator that sfumato has, or that is a short formula of those, is in one of the tables below: from
a sample (input, arguments) to the name and numbers by which ops_pytorch_samples_test.cpp knows the call,
or to None where sfumato does not have the option. A case is a line of cases.txt,

    name number … ; constants ; shape … ; shape of the result ; second ; PyTorch's name

where the last `constants` inputs are not differentiated and `second` says whether second derivatives
follow (1), are all zero (0) or PyTorch has none (-). numbers.f64 has, little-endian and case by case: the
inputs, the result, the gradient of Σ weight · result for each input, and that of Σ weight · gradient.
The weights are those of weights(), in the same order.
"""

import math
import pathlib

import numpy
import torch
from torch.testing._internal import common_methods_invocations
from torch.testing._internal import opinfo

SEEDS = 4  # each sample with that many sets of random numbers
MOST_ELEMENTS = 40  # of the inputs together, and of the result
MOST_OF_ONE_NAME = 22  # cases of one of PyTorch's operators

# Operators whose samples are larger: of the input, a part; more elements, and fewer cases.
IMAGES = {
    "nn.functional.conv1d": (slice(0, 1),), "nn.functional.conv2d": (slice(0, 1),),
    "nn.functional.conv_transpose2d": (slice(0, 1),),
    "nn.functional.avg_pool2d": (slice(0, 1), slice(0, 1)),
    "nn.functional.adaptive_avg_pool2d": (slice(0, 1), slice(0, 2)),
    "nn.functional.adaptive_max_pool2d": (slice(0, 1), slice(0, 2)),
    "nn.functional.max_pool2d": (slice(0, 1), slice(0, 1)),
    "nn.functional.interpolate.nearest": (slice(0, 1), slice(0, 2)),
    "nn.functional.interpolate.bilinear": (slice(0, 1), slice(0, 2)),
    "nn.functional.interpolate.bicubic": (slice(0, 1), slice(0, 1)),
    "nn.functional.upsample_nearest": (slice(0, 1), slice(0, 2)),
    "bmm": (slice(0, 2),),
}
MOST_ELEMENTS_OF_IMAGES = 300
MOST_OF_ONE_KIND_OF_IMAGES = 12
# Those whose samples are larger than they need be: of every tensor, a corner.
CORNERS = {"nn.functional.gelu": 3, "nn.functional.leaky_relu": 3}


def weights(first, count):
    k = torch.arange(first, first + count, dtype=torch.float64)
    return ((k * 37) % 64 - 31.5) / 32


def plain(value):
    """Whether a sample's argument is a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def pair(value):
    return list(value) if isinstance(value, (tuple, list)) and len(value) > 1 else [
        value[0] if isinstance(value, (tuple, list)) else value] * 2


# ---- What the tables are made of. A rule is called with (input, *args, **kwargs) of a sample and returns
# (name, numbers, differentiated inputs, constant inputs), or None.


def unary(name, *numbers):
    def rule(x, *args, **kwargs):
        return None if args or kwargs.get("dtype") is not None else (name, list(numbers), [x], [])
    return rule


def binary(name, scalar=None, scalar_first=None):
    """Of two tensors `name`, of a tensor and a number `scalar` or `scalar_first`."""
    def rule(x, y=None, alpha=1, rounding_mode=None, **kwargs):
        other = kwargs.pop("other", y)
        if kwargs or rounding_mode is not None or isinstance(alpha, complex):
            return None
        if plain(other):
            return (scalar, [other * alpha if scalar in ("plus", "minus", "reversed_minus") else other],
                    [x], []) if scalar else None
        if not isinstance(other, torch.Tensor) or other.dtype != x.dtype:
            return None
        return name, [alpha] if name in ("add", "sub", "rsub") else [], [x, other], []
    return rule


def reduction(name):
    def rule(x, dim=None, keepdim=False, *rest, unbiased=None, correction=None, mask=None, **kwargs):
        if rest or mask is not None or kwargs.get("dtype") not in (None, torch.float64):
            return None
        if isinstance(dim, bool):  # var(unbiased)
            unbiased, dim = dim, None
        axes = [] if dim is None else [dim] if isinstance(dim, int) else list(dim)
        if x.dim() == 0:
            axes = []
        if correction is None:
            correction = 1 if unbiased is None else int(unbiased)
        if correction != int(correction):
            return None
        more = [int(correction)] if name in ("var", "std") else []
        return name, [int(keepdim)] + more + axes, [x], []
    return rule


def along(name):
    def rule(x, dim, *args, **kwargs):
        if args or x.dim() == 0:
            return None
        return name, [dim], [x], []
    return rule


def to_shape(name):
    """What gives the elements another shape: the one of the result."""
    def rule(x, *args, **kwargs):
        return name, [], [x], []
    return rule


def pick(*ranges):
    return "slice", [n for r in ranges for n in (math.nan if v is None else v for v in r)]


def indexed(x, index):
    index = index if isinstance(index, tuple) else (index,)
    ranges, axis = [], 0
    for part in index:
        if isinstance(part, slice):
            ranges.append((axis, part.start, part.stop, part.step or 1))
            axis += 1
        elif isinstance(part, int) and not isinstance(part, bool):
            ranges.append((axis, part, part + 1 if part != -1 else None, 1))
            axis += 1
        elif part is not None:
            return None
    return (*pick(*ranges), [x], [])


def padded(x, pad, mode="constant", value=None):
    modes = {"constant": 0, "replicate": 1, "reflect": 2, "circular": 3}
    if mode not in modes or isinstance(value, complex):
        return None
    return "pad", [modes[mode], value or 0, *pad], [x], []


def linear(x, weight, bias=None):
    return "linear", [], [x, weight] + ([] if bias is None else [bias]), []


def scaled_product(x, a, b, beta=1, alpha=1):
    if isinstance(beta, complex) or isinstance(alpha, complex) or beta == 0:
        return None
    return "addmm", [beta, alpha], [x, a, b], []


def convolution(name, transposed=False):
    def rule(x, weight, bias=None, stride=1, padding=0, *rest, output_padding=0, groups=1, dilation=1):
        if transposed and rest:
            output_padding, groups, dilation = (list(rest) + [groups, dilation][len(rest) - 1:])[:3]
        elif rest:
            dilation, groups = (list(rest) + [groups])[:2]
        if isinstance(padding, str):
            return None
        numbers = [n for value in (stride, padding, dilation) for n in pair(value)]
        if name.endswith("1d"):
            numbers = [1, numbers[0], 0, numbers[2], 1, numbers[4]]
        numbers.append(groups)
        if transposed:
            numbers += pair(output_padding) if name.endswith("2d") else [0, pair(output_padding)[0]]
        return name, numbers, [x, weight] + ([] if bias is None else [bias]), []
    return rule


def pooling(name):
    def window(x, kernel_size, stride, padding):
        stride = kernel_size if stride is None or stride == [] or stride == () else stride
        numbers = [pair(kernel_size), pair(stride), pair(padding)]
        if name.endswith("1d"):
            numbers = [[1, numbers[0][0]], [1, numbers[1][0]], [0, numbers[2][0]]]
        return [n for two in numbers for n in two]

    def largest(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
        dilation = pair(dilation) if name.endswith("2d") else [1, pair(dilation)[0]]
        return "max_pool", window(x, kernel_size, stride, padding) + dilation + [int(ceil_mode)], [x], []

    def average(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
                divisor_override=None):
        more = [int(ceil_mode), int(count_include_pad), divisor_override or 0]
        return "avg_pool", window(x, kernel_size, stride, padding) + more, [x], []

    return average if name.startswith("avg") else largest


def adaptive(name, dimensions):
    def rule(x, size, return_indices=False):
        size = pair(size) if dimensions == 2 else [1, pair(size)[0]]
        size = [x.shape[i - 2] if s is None else s for i, s in enumerate(size)]
        return name, size, [x], []
    return rule


def upsampled(mode):
    modes = {"nearest": 0, "bilinear": 1, "bicubic": 2}

    def rule(x, size=None, scale_factor=None, *rest, align_corners=None, recompute_scale_factor=None,
             antialias=False, **kwargs):
        given = kwargs.get("mode", rest[0] if rest else mode)
        corners = rest[1] if len(rest) > 1 else align_corners
        if x.dim() != 4 or given not in modes:
            return None
        factor = 0.0
        if size is None:
            if len(set(pair(scale_factor))) > 1:
                return None
            factor = pair(scale_factor)[0]
            if recompute_scale_factor:
                size, factor = [math.floor(x.shape[i + 2] * factor) for i in (0, 1)], 0.0
        size = [0, 0] if size is None else pair(size)
        return "interpolate", [modes[given], *size, factor, int(bool(corners)), int(antialias)], [x], []
    return rule


def selected(x, *args, **kwargs):
    """torch.where(condition, x, y), in a sample as x.where(condition, y)."""
    condition, other = args
    if not isinstance(other, torch.Tensor) or not isinstance(condition, torch.Tensor):
        return None
    return "where", [], [x, other], [condition]


def classified(x, target, weight=None, reduction="mean", ignore_index=-100, label_smoothing=0.0, **kwargs):
    if reduction != "mean" or kwargs or target.dtype != torch.int64 or x.dim() < 2:
        return None
    numbers = [ignore_index, label_smoothing] + ([] if weight is None else weight.tolist())
    return "cross_entropy", numbers, [x], [target]


def loss(name):
    def rule(x, target, reduction="mean", **kwargs):
        if reduction != "mean" or x.shape != target.shape or kwargs:
            return None
        return name, [], [x, target], []
    return rule


def limits(low=-math.inf, high=math.inf):
    def rule(x, *args, **kwargs):
        if args or kwargs.get("inplace"):
            return None
        return "clamp", [low, high], [x], []
    return rule


def clamped(x, low=None, high=None, **kwargs):
    low, high = kwargs.get("min", low), kwargs.get("max", high)
    if isinstance(low, torch.Tensor) and isinstance(high, torch.Tensor):
        return "clamp_between", [], [x, low, high], []
    if isinstance(low, torch.Tensor) and high is None:
        return "maximum", [], [x, low], []
    if isinstance(high, torch.Tensor) and low is None:
        return "minimum", [], [x, high], []
    if not all(v is None or plain(v) for v in (low, high)) or low is high:
        return None
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    return ("clamp", [low, high], [x], []) if low <= high else None


def length(x, p=2, dim=None, keepdim=False, dtype=None, **kwargs):
    p = kwargs.get("ord", 2 if p in (None, "fro") else p)
    if dtype is not None or not plain(p):
        return None
    axes = [] if dim is None or x.dim() == 0 else [dim] if isinstance(dim, int) else list(dim)
    return "norm", [p, int(keepdim), *axes], [x], []


def indexed_by(name):
    def rule(x, dim, index, *source, **kwargs):
        if kwargs.get("sparse_grad") or x.dim() == 0:
            return None
        return name, [dim], [x, *source], [index]
    return rule


def rolled(x, shifts, dims=None):
    if dims is None:
        return "roll_all", [shifts if isinstance(shifts, int) else shifts[0]], [x], []
    shifts, dims = ([v] if isinstance(v, int) else list(v) for v in (shifts, dims))
    return "roll", [n for both in zip(shifts, dims) for n in both], [x], []


def normalized(name, numbers, x, weight, bias, eps):
    given = [w for w in (weight, bias) if w is not None]
    return name, [*numbers, eps, int(weight is not None), int(bias is not None)], [x, *given], []


def masked(x, mask, value):
    if isinstance(value, torch.Tensor) and (value.requires_grad or value.dim() > 0):
        return None
    return "masked_fill", [float(value)], [x], [mask]


# ---- The tables: operators with one result, and operators with several, of which each becomes a case.

RULES = {
    "neg": unary("neg"), "exp": unary("exp"), "log": unary("log"), "sqrt": unary("sqrt"),
    "square": unary("square"), "abs": unary("abs"), "sign": unary("sign"), "tanh": unary("tanh"),
    "sigmoid": unary("sigmoid"), "reciprocal": unary("over", 1), "rsqrt": unary("rsqrt"),
    "positive": unary("plus", 0), "deg2rad": unary("times", math.pi / 180), "exp2": unary("exp2"),
    "nn.functional.relu": unary("relu"), "nn.functional.silu": unary("silu"),
    "nn.functional.softsign": unary("softsign"), "nn.functional.tanhshrink": unary("tanhshrink"),
    "nn.functional.gelu": lambda x, approximate="none": (
        "gelu", [int(approximate == "tanh")], [x], []),
    "nn.functional.leaky_relu": lambda x, negative_slope=0.01, inplace=False: (
        "leaky_relu", [negative_slope], [x], []),
    "nn.functional.relu6": limits(0, 6), "clamp": clamped,
    "nn.functional.hardtanh": lambda x, min_val=-1, max_val=1, **kwargs: clamped(x, min_val, max_val),
    "clamp_min": lambda x, low: ("maximum", [], [x, low], []) if isinstance(low, torch.Tensor) else
    clamped(x, low, None),
    "clamp_max": lambda x, high: ("minimum", [], [x, high], []) if isinstance(high, torch.Tensor) else
    clamped(x, None, high),
    "add": binary("add", "plus"), "sub": binary("sub", "minus"), "mul": binary("mul", "times"),
    "div.no_rounding_mode": binary("div", "divided"), "true_divide": binary("div", "divided"),
    "rsub": binary("rsub", "reversed_minus"), "pow": binary("pow", "power"),
    "float_power": binary("pow", "power"), "__radd__": binary("add", "plus"),
    "__rmul__": binary("mul", "times"), "__rsub__": binary("rsub", "reversed_minus"),
    "__rdiv__": binary("rdiv", "over"), "maximum": binary("maximum"), "minimum": binary("minimum"),
    "max.binary": binary("maximum"), "min.binary": binary("minimum"), "where": selected,
    "sum": reduction("sum"), "mean": reduction("mean"), "amax": reduction("max"),
    "amin": reduction("min"), "max.reduction_no_dim": reduction("max"),
    "min.reduction_no_dim": reduction("min"), "var": reduction("var"),
    "var.unbiased": reduction("var"), "std": reduction("std"),
    "std.unbiased": reduction("std"), "max.reduction_with_dim": reduction("max"),
    "min.reduction_with_dim": reduction("min"),
    "softmax": along("softmax"), "log_softmax": along("log_softmax"),
    "nn.functional.softmin": along("softmin"),
    "permute": lambda x, axes: ("permute", list(axes), [x], []),
    "transpose": lambda x, a, b: ("transpose", [a, b], [x], []) if x.dim() > 0 else None,
    "t": lambda x: ("transpose", [-2, -1], [x], []) if x.dim() == 2 else None,
    "T": lambda x: ("permute", list(range(x.dim()))[::-1], [x], []),
    "mT": lambda x: ("transpose", [-2, -1], [x], []),
    "movedim": lambda x, source, target: ("permute", moved(x, source, target), [x], []),
    "reshape": to_shape("reshape"), "view": to_shape("reshape"), "reshape_as": to_shape("reshape"),
    "view_as": to_shape("reshape"),
    "flatten": lambda x, start_dim=0, end_dim=-1: ("flatten", [start_dim, end_dim], [x], []), "ravel": to_shape("reshape"),
    "unflatten": to_shape("reshape"), "unsqueeze": lambda x, dim: ("unsqueeze", [dim], [x], []),
    "squeeze": to_shape("reshape"), "squeeze.multiple": to_shape("reshape"),
    "expand": to_shape("broadcast_to"), "expand_as": to_shape("broadcast_to"),
    "broadcast_to": to_shape("broadcast_to"), "sum_to_size": to_shape("sum_to"),
    "narrow": lambda x, dim, start, length: narrowed(x, dim, int(start), length),
    "slice": lambda x, dim=0, start=None, end=None, step=1: (*pick((dim, start, end, step)), [x], []),
    "select": lambda x, dim, i: (*pick((dim, i, i + 1 if i != -1 else None, 1)), [x], []),
    "__getitem__": indexed,
    "flip": lambda x, dims: ("flip", list(dims), [x], []),
    "fliplr": lambda x: (*pick((1, None, None, -1)), [x], []),
    "flipud": lambda x: (*pick((0, None, None, -1)), [x], []),
    "cat": lambda parts, dim=0: ("cat", [dim], list(parts), []) if all(
        p.dtype == torch.float64 and p.dim() == parts[0].dim() for p in parts) else None,
    "stack": lambda parts, dim=0: ("stack", [dim], list(parts), []),
    "hstack": lambda parts: ("cat", [min(1, parts[0].dim() - 1)], list(parts), [])
    if parts[0].dim() > 0 else None,
    "vstack": lambda parts: ("cat", [0], list(parts), []) if parts[0].dim() > 1 else None,
    "diff": lambda x, n=1, dim=-1, prepend=None, append=None: ("diff", [dim] * n, [x], [])
    if prepend is None and append is None and n > 0 and x.dim() > 0 and x.shape[dim] > n else None,
    "constant_pad_nd": lambda x, pad, value=0: padded(x, pad, "constant", value),
    "nn.functional.pad.constant": padded, "nn.functional.pad.reflect": padded,
    "nn.functional.pad.replicate": padded,
    "matmul": lambda a, b: ("matmul", [], [a, b], []) if min(a.dim(), b.dim()) > 0 else None,
    "__rmatmul__": lambda a, b: ("matmul", [], [b, a], []) if min(a.dim(), b.dim()) > 0 else None,
    "mm": lambda a, b: ("matmul", [], [a, b], []), "bmm": lambda a, b: ("matmul", [], [a, b], []),
    "mv": lambda a, b: ("mv", [], [a, b], []), "dot": lambda a, b: ("dot", [], [a, b], []),
    "vdot": lambda a, b: ("dot", [], [a, b], []),
    "linalg.multi_dot": lambda parts: ("product", [], list(parts), []) if all(
        p.dim() == 2 for p in parts) else None,
    "outer": lambda a, b: ("outer", [], [a, b], []),
    "addmm": scaled_product, "addmm.decomposed": scaled_product, "baddbmm": scaled_product,
    "nn.functional.linear": linear,
    "nn.functional.conv2d": convolution("conv2d"), "nn.functional.conv1d": convolution("conv1d"),
    "nn.functional.conv_transpose2d": convolution("conv_transpose2d", True),
    "nn.functional.conv_transpose1d": convolution("conv_transpose1d", True),
    "nn.functional.max_pool2d": pooling("max_pool2d"), "nn.functional.max_pool1d": pooling("max_pool1d"),
    "nn.functional.avg_pool2d": pooling("avg_pool2d"), "nn.functional.avg_pool1d": pooling("avg_pool1d"),
    "nn.functional.adaptive_avg_pool2d": adaptive("adaptive_avg_pool", 2),
    "nn.functional.adaptive_avg_pool1d": adaptive("adaptive_avg_pool", 1),
    "nn.functional.adaptive_max_pool2d": adaptive("adaptive_max_pool", 2),
    "nn.functional.interpolate.nearest": upsampled("nearest"),
    "nn.functional.interpolate.bilinear": upsampled("bilinear"),
    "nn.functional.interpolate.bicubic": upsampled("bicubic"),
    "nn.functional.upsample_nearest": upsampled("nearest"),
    "sin": unary("sin"), "cos": unary("cos"), "tan": unary("tan"), "erf": unary("erf"),
    "log1p": unary("log1p"), "expm1": unary("expm1"), "floor": unary("floor"), "round": unary("round"),
    "nn.functional.softplus": lambda x, beta=1, threshold=20: (
        "softplus", [beta], [x], []) if threshold == 20 else None,
    "nn.functional.elu": lambda x, alpha=1.0, inplace=False: ("elu", [alpha], [x], []),
    "prod": reduction("prod"), "cumsum": along("cumsum"),
    "logsumexp": reduction("logsumexp"), "norm": length, "linalg.vector_norm": length,
    "masked_fill": masked, "gather": indexed_by("gather"), "index_select": indexed_by("index_select"),
    "scatter_add": indexed_by("scatter_add"), "roll": rolled,
    "repeat": lambda x, counts: ("repeat", list(counts), [x], []),
    "nn.functional.layer_norm": lambda x, shape, weight=None, bias=None, eps=1e-5: normalized(
        "layer_norm", [len(shape)], x, weight, bias, eps),
    "nn.functional.group_norm": lambda x, groups, weight=None, bias=None, eps=1e-5: normalized(
        "group_norm", [groups], x, weight, bias, eps),
    "cholesky": lambda x, upper=False: None if upper else ("cholesky", [], [x], []),
    "linalg.cholesky": lambda x, upper=False: None if upper else ("cholesky", [], [x], []),
    "linalg.solve": lambda a, b, left=True: None if not left else ("solve", [], [a, b], []),
    "nn.functional.pad.circular": padded,
    "nn.functional.mse_loss": loss("mse_loss"), "nn.functional.l1_loss": loss("mean_absolute_error"),
    "nn.functional.cross_entropy": classified,
}


def narrowed(x, dim, start, length):
    return (*pick((dim, start, None if start < 0 == start + length else start + length, 1)), [x], [])


def moved(x, source, target):
    source, target = ([v] if isinstance(v, int) else list(v) for v in (source, target))
    axes = {t % x.dim(): s % x.dim() for s, t in zip(source, target)}
    rest = [a for a in range(x.dim()) if a not in axes.values()]
    return [axes[i] if i in axes else rest.pop(0) for i in range(x.dim())]


def pieces(axis, sizes):
    begin, result = 0, []
    for size in sizes:
        result.append(pick((axis, begin, begin + size, 1)))
        begin += size
    return result


RULES_OF_PARTS = {
    "chunk": lambda x, outs, n, dim=0: pieces(dim, [o.shape[dim] for o in outs]),
    "split": lambda x, outs, n, dim=0: pieces(dim, [o.shape[dim] for o in outs]),
    "split_with_sizes": lambda x, outs, n, dim=0: pieces(dim, [o.shape[dim] for o in outs]),
    "unbind": lambda x, outs, dim=0: pieces(dim, [1] * len(outs)),
}

# ---- Cases


def shape_text(tensor):
    return "x".join(str(n) for n in tensor.shape) if tensor.dim() else "scalar"


def number_text(value):
    return "nan" if value != value else repr(int(value)) if value == int(value) and abs(
        value) < 1e15 else repr(float(value))


def number_of(value):
    value = float(value)
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return number_text(value)


def derivatives(call, inputs, constants):
    """The result, its vector-Jacobian products and those of their sum with weights."""
    value = call()
    if value.dtype != torch.float64 or not value.requires_grad:
        return None
    inputs = list(inputs)
    seed = weights(0, value.numel()).reshape(value.shape)
    first = torch.autograd.grad(value, inputs, seed, create_graph=True, allow_unused=True)
    first = [torch.zeros_like(x) if g is None else g for g, x in zip(first, inputs)]
    total, place = torch.zeros((), dtype=torch.float64), value.numel()
    for g in first:
        total = total + (g * weights(place, g.numel()).reshape(g.shape)).sum()
        place += g.numel()
    second = [None] * len(inputs)
    if total.requires_grad:
        try:
            second = torch.autograd.grad(total, inputs, allow_unused=True)
        except RuntimeError as error:
            if "not implemented" not in str(error) and "not differentiable" not in str(error):
                raise
            second = None
    if second is not None:
        second = [torch.zeros_like(x) if g is None else g for g, x in zip(second, inputs)]
    return value.detach(), [g.detach() for g in first], second


def samples(op):
    """PyTorch's own sample inputs, and those for its comparison with NumPy, which has more."""
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        numpy.random.seed(seed)
        for source in (op.sample_inputs, op.reference_inputs):
            try:
                yield from source("cpu", torch.float64, requires_grad=True, set_seed=False)
            except (RuntimeError, ValueError, TypeError, IndexError):
                pass  # generators that do not go with small sizes, or with gradients


tried, missing = {}, {}  # samples of each operator, and those with an option that sfumato does not have


def cases_of(op, name):
    found = []
    for sample in samples(op):
        def fresh(value):
            if isinstance(value, (list, tuple)):
                return type(value)(fresh(v) for v in value)
            if isinstance(value, torch.Tensor) and value.dtype == torch.float64:
                return value.detach().clone().requires_grad_()
            return value
        x, args = fresh(sample.input), fresh(list(sample.args))
        if name in IMAGES and x.dim() > len(IMAGES[name]):
            x = fresh(x[IMAGES[name]])
            args = [fresh(a[:x.shape[0]]) for a in args] if name == "bmm" else args
        if name in CORNERS:
            x = fresh(x[tuple(slice(0, CORNERS[name]) for _ in x.shape)])
        kwargs = {key: fresh(value) for key, value in sample.kwargs.items()}
        is_list = isinstance(x, (list, tuple))
        if not (is_list or isinstance(x, torch.Tensor)):
            continue
        try:
            if name in RULES:
                rules = [RULES[name](x, *args, **kwargs)]
                calls = [lambda: first_result(op, x, args, kwargs)]
            else:
                outs = op(x, *args, **kwargs)
                rules = [(*rule, [x], []) for rule in RULES_OF_PARTS[name](x, outs, *args, **kwargs)]
                calls = [lambda i=i: op(x, *args, **kwargs)[i] for i in range(len(rules))]
        except (TypeError, IndexError):
            continue  # an argument that no rule knows
        for rule, call in zip(rules, calls):
            tried[name] = tried.get(name, 0) + 1
            if rule is None:
                missing[name] = missing.get(name, 0) + 1
                continue
            operation, numbers, inputs, constants = rule
            # One tensor given twice is one input of the graph.
            if len({id(i) for i in inputs}) < len(inputs) or any(
                    not isinstance(i, torch.Tensor) or not i.requires_grad for i in inputs):
                continue
            most = MOST_ELEMENTS_OF_IMAGES if name in IMAGES else MOST_ELEMENTS
            if sum(i.numel() for i in inputs + constants) > most or max(
                    i.dim() for i in inputs + constants) > 6:
                continue
            try:
                result = derivatives(call, inputs, constants)
            except (RuntimeError, IndexError):
                continue  # a sample that does not go with small sizes
            if result is None or result[0].numel() > most:
                continue
            value, first, second = result
            line = [operation] + [number_of(n) for n in numbers]
            arrays = [i.detach() for i in inputs + constants] + [value] + first
            flag = "-" if second is None else "1" if any((g != 0).any() for g in second) else "0"
            arrays += second if flag == "1" else []
            text = " ; ".join([" ".join(line), str(len(constants)),
                               " ".join(shape_text(i) for i in inputs + constants), shape_text(value), flag,
                               name])
            found.append((text, numpy.concatenate([a.to(torch.float64).numpy().reshape(-1) for a in arrays])))
    return found


def first_result(op, x, args, kwargs):
    result = op(x, *args, **kwargs)
    return result[0] if isinstance(result, tuple) else result


def main():
    for module in (common_methods_invocations, opinfo.core):
        module.S, module.M, module.L = 3, 4, 6  # small tensors in the place of 5, 10 and 20
    texts, arrays, seen = [], [], set()
    for op in sorted(common_methods_invocations.op_db, key=lambda o: (o.name, o.variant_test_name)):
        name = op.name + ("." + op.variant_test_name if op.variant_test_name else "")
        if name not in RULES and name not in RULES_OF_PARTS:
            continue
        found = []
        for text, array in cases_of(op, name):
            key = (text, array.tobytes())
            if key not in seen:
                seen.add(key)
                found.append((text, array))
        # As many of each kind of call as there is room for.
        kinds = {}
        for text, array in found:
            kinds.setdefault(text, []).append((text, array))
        chosen = [group[i] for i in range(SEEDS) for group in kinds.values() if i < len(group)]
        most = MOST_OF_ONE_KIND_OF_IMAGES if name in IMAGES else MOST_OF_ONE_NAME
        step = max(1.0, len(chosen) / most)
        chosen = [chosen[int(i * step)] for i in range(int(len(chosen) / step))]
        print(f"{name}: {len(found)} found, {len(chosen)} taken")
        texts += [text for text, _ in chosen]
        arrays += [array for _, array in chosen]
    folder = pathlib.Path(__file__).parent
    (folder / "cases.txt").write_text("\n".join(texts) + "\n")
    numbers = numpy.concatenate(arrays).astype("<f8")
    (folder / "numbers.f64").write_bytes(numbers.tobytes())
    print("without an option:", ", ".join(f"{n} {missing[n]} of {tried[n]}" for n in missing))
    print(f"{sum(missing.values())} of {sum(tried.values())} samples")
    print(f"{len(texts)} cases, {numbers.size} numbers, PyTorch {torch.__version__}")


main()
