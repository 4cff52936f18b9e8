"""What can go wrong with a structure, one class each, so that a caller can tell them apart."""

from __future__ import annotations


class StructureError(ValueError):
    """A structure that cannot be used; the message names file, value and remedy."""


class UnknownStructure(KeyError):
    """No such id in the bundled set."""

    def __str__(self) -> str:  # KeyError prints its repr, which quotes and escapes the message
        """Return the message as written."""
        return str(self.args[0])


class NotAStructureFile(StructureError):
    """The file is neither PDB nor mmCIF."""


class EmptyFile(StructureError):
    """The file holds nothing, or no atom."""


class TruncatedFile(StructureError):
    """The file ends before its contents do, or is damaged on the way."""


class NoSuchChain(StructureError):
    """The chain asked for is not in the file, or none was asked for and there are several."""


class NoSuchModel(StructureError):
    """The model asked for is not in the file."""


class NoProtein(StructureError):
    """The file or the chain holds no protein residue."""


class TooFewResidues(StructureError):
    """Fewer residues with a full backbone than a superposition needs."""


class TooManyResidues(StructureError):
    """More residues than the limit."""


class BadCoordinates(StructureError):
    """A coordinate that is not a finite number."""


class ResiduesLeftOut(UserWarning):
    """Some residues of a file were left out; the message says which and why."""
