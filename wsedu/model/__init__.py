# SPDX-License-Identifier: GPL-2.0-or-later
"""What an update costs: the closed form, what it was measured against, and the claims of others, worked out again."""
