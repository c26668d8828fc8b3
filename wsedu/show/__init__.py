# SPDX-License-Identifier: GPL-2.0-or-later
"""Pictures of bytes, each as HTML and as text: ``byte_map``, ``compare`` and ``ladder``.

Values are taken by shape (``.spans()``, ``.raw``), never by type, and no socket is opened here. Stored HTML reads
well in a notebook that is not trusted yet: it uses only what JupyterLab's sanitizer keeps.
"""
