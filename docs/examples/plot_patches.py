"""
Directions in a photograph
==========================

A patch of a photograph, scaled to norm 1, is a direction: a point on a sphere in hundreds of dimensions. The von
Mises-Fisher distribution is the normal distribution of that sphere; its concentration kappa says how alike the patches are.
Fitting kappa needs the ratio of two Bessel functions of order d / 2, each of which is far outside the range of a double.
"""

# %%
# The patches
# -----------
# A third of scikit-learn's photograph is sky, the rest is a temple, trees and water.

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from solvent import special
from solvent.stats import VonMisesFisherMixture, vonmises_fisher

photograph = load_sample_image("china.jpg") / 255.0
side = 16
windows = np.lib.stride_tricks.sliding_window_view(photograph, (side, side, 3))[::side, ::side, 0]
x = windows.reshape(-1, side * side * 3)
x = x / np.linalg.norm(x, axis=1, keepdims=True)
print(f"{x.shape[0]} directions in {x.shape[1]} dimensions")

# %%
# One distribution
# ----------------
# The fit comes with a certificate: an interval that contains the maximum of the likelihood. The second line asks the
# same certificate about a kappa that is 1 % too large.

fit = vonmises_fisher.fit(x)
print(f"kappa = {fit.kappa:.12g}, in {fit.kappa_interval}")
print(fit.certificate)
print(replace(fit, kappa=1.01 * fit.kappa).certify(x))

# %%
# A mixture
# ---------
# Four kinds of patches, found by expectation-maximisation, and where in the photograph they are.

model = VonMisesFisherMixture(4, max_iter=300, tol=1e-4, random_state=0).fit(x)
print(f"{model.n_iter_} sweeps, {model.certificate_}")
kinds = model.predict(x).reshape(windows.shape[:2])

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
left.imshow(photograph)
right.imshow(kinds, cmap="viridis", interpolation="nearest")
for axes in (left, right):
    axes.set_axis_off()

# %%
# The log-likelihood of kappa
# ---------------------------
# The log-likelihood is a difference of large logarithms, of order d / 2 - 1: `solvent.special.log_iv` gives it without
# overflow, on the whole axis at once.

n, d = x.shape
length = np.linalg.norm(x.mean(axis=0))
kappa = np.linspace(0.5, 2.0, 400) * fit.kappa
v = d / 2 - 1
likelihood = v * np.log(kappa) - (v + 1) * np.log(2 * np.pi) - special.log_iv(v, kappa) + kappa * length

figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
axes.plot(kappa, likelihood)
axes.axvline(fit.kappa, linestyle="--", color="0.4")
axes.set(xlabel="kappa", ylabel="mean log-likelihood")
