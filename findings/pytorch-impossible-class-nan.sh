#!/usr/bin/env bash
# Guess:   a class that is masked out, with a logit of -inf, and has the probability 0 adds nothing to a cross entropy
#          or a divergence, as 0 log 0 is 0 there; PyTorch's own distributions count it so.
# Seen:    cross_entropy is finite when the target is the number of a class, and NaN for the same target as
#          probabilities; kl_div is NaN, too, with log_target or without; torch.distributions gives the right number.
# Version: torch 2.15.0 on the CPU
# Matters: masked logits are how variable numbers of classes are trained; going from labels to soft targets, as in
#          distillation, turns the loss into NaN at once.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --no-cache-dir --disable-pip-version-check torch==2.15.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import math

import torch
import torch.distributions as distributions
import torch.nn.functional as functional

logits = torch.tensor([[2.0, 1.0, -math.inf]])
label, one_hot = torch.tensor([0]), torch.tensor([[1.0, 0.0, 0.0]])
soft = torch.tensor([[0.25, 0.75, 0.0]])
log_p = torch.log_softmax(logits, 1)
found = {"label": functional.cross_entropy(logits, label), "one-hot": functional.cross_entropy(logits, one_hot),
         "kl_div": functional.kl_div(log_p, soft, reduction="sum"),
         "kl_div, log_target": functional.kl_div(log_p, soft.log(), reduction="sum", log_target=True),
         "distributions": distributions.kl_divergence(distributions.Categorical(soft),
                                                      distributions.Categorical(logits=logits))[0]}
found = {name: value.item() for name, value in found.items()}
print(found)
assert abs(found["label"] - math.log1p(math.exp(-1))) < 1e-6
assert math.isnan(found["one-hot"]) and math.isnan(found["kl_div"]) and math.isnan(found["kl_div, log_target"])
exact = sum(p * (math.log(p) - q) for p, q in ((0.25, log_p[0, 0].item()), (0.75, log_p[0, 1].item())))
assert abs(found["distributions"] - exact) < 1e-6
END
echo "as described"
