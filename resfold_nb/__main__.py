"""`python3 -m resfold_nb`: set up, open, test and run the workbook."""

# This file is read by whichever Python the reader has, so it keeps to syntax that old ones parse.
import sys

if sys.version_info < (3, 11):
    sys.exit("The ResFold workbook needs Python 3.11 or newer; this is Python {}.{} ({}).\n"
             "Install a newer Python, then name it: make lab PYTHON=python3.12\n"
             "or, without make: python3.12 -m resfold_nb setup".format(
                 sys.version_info[0], sys.version_info[1], sys.executable))

from resfold_nb.workbook.cli import main

if __name__ == "__main__":
    sys.exit(main())
