#pragma once

/// What training minimises.

#include "sfumato/losses/cosine_similarity.hpp"
#include "sfumato/losses/cross_entropy.hpp"
#include "sfumato/losses/gradient_size.hpp"
#include "sfumato/losses/guided.hpp"
#include "sfumato/losses/kl_div.hpp"
#include "sfumato/losses/matching.hpp"
#include "sfumato/losses/mse_loss.hpp"
#include "sfumato/losses/regression.hpp"
#include "sfumato/losses/sliced_wasserstein.hpp"
#include "sfumato/losses/style.hpp"
#include "sfumato/losses/total_variation.hpp"
#include "sfumato/losses/wasserstein.hpp"
