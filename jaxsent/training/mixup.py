"""Mixup (Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018): pairs of images.

A batch is learnt as x = λ x_i + (1 − λ) x_j with the target y = λ y_i + (1 − λ) y_j. A term that is
linear in its target, as cross-entropy is, is then λ times that of y_i and 1 − λ times that of y_j;
so are the gradients of all terms of the joint loss.
"""

import jax

Array = jax.Array

STREAM = 0x6D6978
"""Apart from dropout's, which takes the step's key itself."""


def pairs(key: Array, alpha: float, count: int) -> tuple[Array, Array]:
    """λ, a scalar of Beta(α, α), and the partner j of each i, a permutation (count,)."""
    share, order = jax.random.split(jax.random.fold_in(key, STREAM))
    return jax.random.beta(share, alpha, alpha), jax.random.permutation(order, count)


def mixed(values: Array, share: Array, partners: Array) -> Array:
    """(B, ...) -> (B, ...): λ v_i + (1 − λ) v_j."""
    share = share.astype(values.dtype)
    return share * values + (1 - share) * values[partners]


def mixed_terms(terms: dict[str, Array], others: dict[str, Array], share: Array):
    """Terms of the loss by the images' own targets, and by their partners' -> those by both."""
    return jax.tree.map(lambda own, other: share * own + (1 - share) * other, terms, others)
