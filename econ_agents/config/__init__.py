"""The configuration: every setting with its range, read from presets, files and flags."""
