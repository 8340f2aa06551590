"""The version, as a constant: asking the installed package for it would slow down every start."""

VERSION = "0.1.0"
