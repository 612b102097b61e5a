"""
The colours of one photograph for another
=========================================

The pixels of a photograph are a cloud of points in the cube of colours. The cheapest way to turn one cloud into another is
a transport plan; its barycentric projection is a map of colours, and the map repaints the photograph. What is special here is
that the plan comes with proof: how far its marginals are off, and between which bounds the optimal cost lies.
"""

# %%
# Two clouds of colours
# ---------------------
# A plan of a thousand pixels of each photograph will be enough: the map extends to all others.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from solvent import ot

china, flower = (load_sample_image(name)[:426:2, ::2] / 255.0 for name in ("china.jpg", "flower.jpg"))
rng = np.random.default_rng(0)
X, Y = (image.reshape(-1, 3)[rng.choice(image.size // 3, 1000, replace=False)] for image in (china, flower))

# %%
# The plan and its certificate
# ----------------------------
# The cost is computed from the points, pass by pass, and never stored. ``lower`` and ``upper`` enclose the optimum of the
# regularised problem, ``unreg_lower`` and ``unreg_upper`` that of the problem without regularisation.

result = ot.solve_points(X, Y, reg=0.005)
print(result.message, f"after {result.passes} passes,", result.certificate)
print(f"regularised value   in [{result.lower:.15f}, {result.upper:.15f}]")
print(f"unregularised cost  in [{result.unreg_lower:.6f}, {result.unreg_upper:.6f}]")

# %%
# Painting
# --------
# ``map`` sends any colour to where the plan would send it on average.

painted = result.map(china.reshape(-1, 3)).reshape(china.shape).clip(0, 1)
figure, panels = plt.subplots(1, 3, figsize=(9, 2.4), layout="constrained")
for axes, image in zip(panels, (china, flower, painted), strict=True):
    axes.imshow(image)
    axes.set_axis_off()

# %%
# How much nearer?
# ----------------
# The Sinkhorn divergence of the painted colours from the target's, with brackets; and its gradient, which says where each
# colour would have to go.

for name, cloud in (("before", X), ("after", result.map(X))):
    divergence = ot.divergence(cloud, Y, reg=0.01)
    print(f"{name:>6}: in [{divergence.lower:.12f}, {divergence.upper:.12f}]")

# %%
# The sparse plan
# ---------------
# Few pairs of colours carry the mass: the rest, dropped here, weighs what ``dropped`` says.

plan, dropped = result.plan_sparse(1e-6)
print(f"{plan.nnz} of {plan.shape[0] * plan.shape[1]} entries, dropped mass {dropped:.1e}")
figure, axes = plt.subplots(figsize=(5, 3.4), layout="constrained")
arcs = plan.tocoo()
order = rng.choice(arcs.nnz, 1500, p=arcs.data / arcs.data.sum())
rows, columns = (index[order] for index in arcs.coords)
ends = np.stack([X[rows], Y[columns]], axis=1)
axes.plot(ends[:, :, 0].T, ends[:, :, 2].T, color="0.8", linewidth=0.3, zorder=0)
axes.scatter(X[:, 0], X[:, 2], c=X, s=8, label="china.jpg")
axes.scatter(Y[:, 0], Y[:, 2], c=Y, s=8, marker="^", label="flower.jpg")
axes.set(xlabel="red", ylabel="blue")
axes.legend()
