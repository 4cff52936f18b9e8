"""The report's claims on trunk, time conditioning and atoms, and on AlphaFold 3."""

from __future__ import annotations

from resfold_nb.data import load
from resfold_nb.studies.plans import CORE_PROTEINS, ONE, TEN, TURNED
from resfold_nb.verdict.evidence import exactly, factor_ratio, level, quantity, quantity_ratio, study_ratio
from resfold_nb.verdict.rules import (AFTER, DEPENDS, REFUTED, SEEN_BETTER, SEEN_WORSE, SUPPORTED, Claim, Finding,
                                      Rule)

WHENS = ("mean over t", "sampled")
AF3 = "Abramson et al. 2024 (AlphaFold 3), supplementary methods"


def probe(t: int) -> list[Finding]:
    """R² of a linear probe for x0 on the tokens of a trunk that reads x_t, where x0 is turned."""
    what = f"probe of trunk tokens, t = {t}, R²"
    return [level(f"{name}, {TURNED}, t = {t}", quantity("trunk", name, TURNED, what))
            for name in ("scaled residual", "A")]


def clean_trunk() -> list[Finding]:
    """Error with a clean trunk over that with the noisy one, in studies `trunk` and `core`."""
    return [*study_ratio("trunk", "A + E", "A", (ONE, TURNED, TEN), WHENS),
            *study_ratio("trunk", "scaled residual + E", "scaled residual", (ONE, TURNED, TEN), WHENS),
            *factor_ratio("clean trunk", ("residual", "x0"), WHENS)]


def believes() -> list[Finding]:
    """Error when told a random t over that when told the truth."""
    return [f for name in ("scaled residual", "A") for t in (5, 25, 49) for f in quantity_ratio("time", (name, name), (
        f"told a random t, t = {t}, RMSE (Å)", f"told the truth, t = {t}, RMSE (Å)"), (TURNED,))]


def own_variance() -> list[Finding]:
    """Share of the atoms' variance that lies within residues; 3/4 if the four were independent."""
    found = []
    for name in CORE_PROTEINS:
        atoms = load(name).points("backbone").reshape(-1, 4, 3)
        atoms = atoms - atoms.mean((0, 1))
        within = atoms - atoms.mean(1, keepdims=True)
        found.append(Finding(name, exactly(float((within**2).sum() / (atoms**2).sum()) / 0.75)))
    return found


def geometry() -> list[Finding]:
    """Bond deviations with local attention and skips over those of twelve plain numbers."""
    names = ("A, 4 atoms, attention + skips", "A, 4 atoms")
    return [f for bond in ("N-CA", "CA-C", "C-O", "C-N")
            for f in quantity_ratio("atoms", names, (f"{bond}, deviation (Å)",) * 2, (ONE, TURNED, TEN))]


def atoms_over_centroids(atoms: str, plain: str, settings: tuple[str, ...]) -> list[Finding]:
    """RMSD of sampled centroids, an atom model over a centroid model."""
    measured = ("centroids, sampled, RMSD (Å)", "sampled, not clamped, RMSD (Å)")
    return quantity_ratio("atoms", (atoms, plain), measured, settings)


TRUNK_AND_TIME = (
    Claim("leak", "R4", "A trunk that reads x_t leaks the structure at small t.",
        "R² of a linear probe for x0 on its tokens at t = 1", "11_fix_e_clean_trunk", Rule("above", 0.9, "R²", AFTER),
        lambda: probe(1)),
    Claim("blind", "R4", "The same trunk is blind at large t.", "R² of the probe at t = 49", "11_fix_e_clean_trunk",
        Rule("below", 0.1, "R²", AFTER), lambda: probe(49)),
    Claim("clean-helps", "R13", "A clean trunk helps.", "error with a clean trunk over that with a noisy one",
        "11_fix_e_clean_trunk", SEEN_BETTER, clean_trunk),
    Claim("loses-structure", "R13", "It costs the trunk its reasoning about structure.",
        "A + E over A where the orientation has to be read from x_t", "11_fix_e_clean_trunk", SEEN_WORSE,
        lambda: study_ratio("trunk", "A + E", "A", (TURNED,), (25, "sampled"))),
    Claim("more-capacity", "R13", "So the denoiser needs more capacity.",
        "A + E with a denoiser block more over A + E", "11_fix_e_clean_trunk", SEEN_BETTER,
        lambda: study_ratio("trunk", "A + E, one more denoiser block", "A + E", (TURNED,), (25, "sampled"))),
    Claim("weak-time", "R5", "The time signal is too weak: a stronger one would help.",
        "error with sinusoidal or log-SNR embedding over that with the learned table", "13_time_and_curriculum",
        SEEN_BETTER, lambda: [f for name in ("A, sinusoidal t", "A, log-SNR")
                              for f in study_ratio("time", name, "A", (ONE, TURNED), WHENS)]),
    Claim("confused", "R5", "The network can hardly tell noise levels apart.",
        "error when told a random t over that when told the truth (below: it ignores t)", "13_time_and_curriculum",
        Rule("below", 1.1, fixed=AFTER), believes),
    Claim("single-shot", "R6", "Training on single steps is a fault.",
        "samples of A with rollouts over A without, at equal network calls", "10_fix_d_rollout", SEEN_BETTER,
        lambda: study_ratio("rollout", "A + D, equal calls", "A", (ONE, TURNED), WHENS)),
)

ATOMS = (
    Claim("four-times-signal", "R7", "Four times the points give four times the signal.",
        "variance of the atoms about their residue's centroid, over that of four independent points",
        "12_af3_style_atoms", Rule("above", 0.5, fixed=AFTER), own_variance),
    Claim("local-attention", "R7", "Local attention with skips preserves bonds.",
        "bond deviations with it over those of the same points without an atom network", "12_af3_style_atoms",
        SEEN_BETTER, geometry),
    Claim("regularise", "R7", "Four atoms of known geometry regularise.",
        "sampled centroids, A with atom network over A", "12_af3_style_atoms", SEEN_BETTER,
        lambda: atoms_over_centroids("A, 4 atoms, attention + skips", "A", (ONE, TURNED, TEN))),
    Claim("atoms-win", "R7", "The atom model wins even with the scaled residual.",
        "sampled centroids, scaled residual with atom network over scaled residual", "12_af3_style_atoms",
        SEEN_BETTER,
        lambda: atoms_over_centroids("scaled residual, 4 atoms, attention + skips", "scaled residual", (ONE,))),
)

PUBLISHED = tuple(
    Claim(id, "R17", says, "judged from the published architecture, nothing measured",
          "12_af3_style_atoms", source=f"{AF3}: {found}", cited=verdict)
    for id, says, found, verdict in (
        ("af3-trunk", "AlphaFold 3's trunk reads noisy coordinates.",
         "the trunk takes no coordinates of the sample; only the diffusion module does", REFUTED),
        ("af3-scale", "Its output is scaled by sqrt(t/T) on top of x_t.",
         "EDM coefficients with sigma_data = 16 Å; at unit variance c_out equals the report's factor, but the skip "
         "does not equal 1", DEPENDS),
        ("af3-atoms", "It diffuses four atoms a residue.", "all heavy atoms are diffused", REFUTED),
        ("af3-local", "Its local attention stays inside a residue.",
         "windows of 32 queries and 128 keys along the atoms, across residues", REFUTED),
        ("af3-skips", "Its atom encoder passes skips to the atom decoder.",
         "the encoder's atom representation is added in the decoder", SUPPORTED),
        ("af3-rollout", "Its denoiser is trained on rollouts.",
         "the mini-rollout serves the confidence head and sends no gradient into the denoiser", REFUTED)))
