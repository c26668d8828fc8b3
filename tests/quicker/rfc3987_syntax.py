# SPDX-License-Identifier: GPL-2.0-or-later
"""No check of IRIs in JSON, for what `make test` starts: jsonschema, which nbformat and Lab import, does without.

The real one compiles a grammar when it is imported, two seconds of CPU in each process, and no notebook has an IRI.
"""

raise ImportError("not needed here")
